import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { replay } from '../kernel/decider.js';
import { TurnHasPassed, vmHold, type VmHoldCommand, type VmHoldEvent, VmIsHeld } from './vm-hold.js';

const take = (jobId: string, turn = 0): VmHoldCommand => ({
  type: 'TakeHold',
  turn,
  jobId,
  contextId: 'ctx',
  operation: 'backup',
  plan: {},
});
const release = (jobId: string): VmHoldCommand => ({ type: 'ReleaseHold', jobId, contextId: 'ctx' });
const decide = (history: VmHoldEvent[], command: VmHoldCommand) => vmHold.decide(command, replay(vmHold, history));

describe('the hold of a VM', () => {
  it('goes to the first who asks; the second is told whose job it is', () => {
    const held = [...decide([], take('one'))];
    expect(held.map((event) => event.type)).toEqual(['VmHeld']);
    expect(() => decide(held, take('two'))).toThrow(VmIsHeld);
    expect(() => decide(held, take('two'))).toThrow(/job one/);
  });

  it('is free again once its job releases it', () => {
    const history = [...decide([], take('one'))];
    history.push(...decide(history, release('one')));
    expect(decide(history, take('two', 1)).map((event) => event.type)).toEqual(['VmHeld']);
  });

  it('is not released by another job, and releasing twice says nothing', () => {
    const history = [...decide([], take('one'))];
    expect(decide(history, release('two'))).toEqual([]);
    history.push(...decide(history, release('one')));
    expect(decide(history, release('one'))).toEqual([]);
  });

  it('does not go to a plan that was made before another operation had the VM', () => {
    const history = [...decide([], take('one'))];
    history.push(...decide(history, release('one')));
    expect(() => decide(history, take('two', 0))).toThrow(TurnHasPassed);
  });

  it('never has two holders, whatever is asked', () => {
    const jobs = fc.constantFrom('one', 'two', 'three');
    const turns = fc.nat({ max: 3 });
    const takes = fc.tuple(jobs, turns).map(([job, turn]) => take(job, turn));
    const commands = fc.array(fc.oneof(takes, jobs.map(release)));
    fc.assert(
      fc.property(commands, (asked) => {
        const history: VmHoldEvent[] = [];
        let holder: string | null = null;
        for (const command of asked) {
          try {
            for (const event of decide(history, command)) {
              if (event.type === 'VmHeld') expect(holder).toBeNull();
              holder = event.type === 'VmHeld' ? event.data.jobId : null;
              history.push(event);
            }
          } catch (error) {
            expect(error instanceof VmIsHeld || error instanceof TurnHasPassed).toBe(true);
          }
        }
      }),
    );
  });
});
