import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import type { Decision, EffectRequest, SagaEvent, SagaInput } from './saga.js';
import { type Ending, sequence, type Step } from './sequence.js';

const effect = (step: string): EffectRequest => ({
  step,
  title: step,
  kind: 'test',
  args: {},
  resource: step,
  timeoutSeconds: 1,
  retry: { attempts: 1, baseMs: 1, maxMs: 1 },
});
const step = (name: string): Step => ({ effect: effect(name), undo: effect(`un-${name}`) });

/** Three groups, the second with two members side by side; the third grows from a result of the first. */
function processOf(options: { stay?: boolean } = {}) {
  const endings: Ending[] = [];
  const saga = sequence<{ readonly id: string }>({
    name: 'trial',
    version: 1,
    listensTo: ['Begin', 'Stop'],
    correlate: () => ({ id: 'x', starts: true }),
    start: (type) => (type === 'Begin' ? { id: 'x' } : null),
    stop: (type) => (type === 'Stop' ? { code: 'stopped', message: 'stop' } : null),
    groups: (_start, results) => [
      [step('a')],
      [step('b1'), step('b2')],
      results['a']?.['more'] === true ? [step('c'), step('d')] : [step('c')],
    ],
    ...(options.stay === true && {
      stay: {
        checkSeconds: () => 60,
        check: () => effect('idle'),
        closes: (_start, result) => (result['idle'] === true ? { code: 'idle', message: 'idle' } : null),
      },
    }),
    conclude: (_start, _results, ending) => {
      endings.push(ending);
      return [effect('tell'), effect('release')];
    },
  });
  return new Run(saga, endings);
}

/** What one check of a sequence that stays writes into its stream. */
function checkNumber(number: number): readonly SagaEvent[] {
  const timer = { timerId: `timer ${number}`, step: `stay:${number}` };
  const ref = { effectId: `check ${number}`, step: `check:${number}` };
  return [
    { type: 'TimerSet', data: { ...timer, seconds: 60 } },
    { type: 'TimerFired', data: timer },
    { type: 'EffectRequested', data: { ...effect(ref.step), ...ref, endsEffects: [] } },
    { type: 'EffectSucceeded', data: { ...ref, attempt: 1, result: {} } },
  ];
}

type Trial = ReturnType<typeof sequence<{ readonly id: string }>>;

/** Folds and asks as the runtime does, and notes what was asked for. */
class Run {
  private history: SagaEvent[] = [];
  readonly requested: string[] = [];
  readonly open: string[] = [];
  readonly cancelling: string[] = [];
  timer: string | null = null;
  outcome: string | null = null;

  constructor(
    private readonly saga: Trial,
    private readonly endings: Ending[],
  ) {}

  get ending(): Ending | undefined {
    return this.endings.at(-1);
  }

  take(input: SagaInput): this {
    this.history.push(input);
    const state = this.history.reduce((folded, event) => this.saga.evolve(folded, event), this.saga.initial());
    for (const decision of this.saga.react(state, input)) this.note(decision);
    return this;
  }

  private note(decision: Decision): void {
    switch (decision.do) {
      case 'effect':
        this.requested.push(decision.effect.step);
        this.open.push(decision.effect.step);
        this.history.push({
          type: 'EffectRequested',
          data: { ...decision.effect, effectId: decision.effect.step, endsEffects: [] },
        });
        break;
      case 'cancelEffect':
        this.cancelling.push(decision.step);
        this.history.push({ type: 'EffectCancelRequested', data: { effectId: decision.step, step: decision.step } });
        break;
      case 'timer':
        this.timer = decision.step;
        this.history.push({
          type: 'TimerSet',
          data: { timerId: decision.step, step: decision.step, seconds: decision.seconds },
        });
        break;
      case 'end':
        this.outcome = decision.outcome;
        this.history.push({ type: 'SagaEnded', data: { outcome: decision.outcome, effectIds: [], timerIds: [] } });
    }
  }

  event(type: string): this {
    return this.take({ type: 'SagaInputReceived', data: { eventId: type, type, data: {} } });
  }

  succeeds(name: string, result = {}): this {
    this.open.splice(this.open.indexOf(name), 1);
    return this.take({ type: 'EffectSucceeded', data: { effectId: name, step: name, attempt: 1, result } });
  }

  fails(name: string): this {
    this.open.splice(this.open.indexOf(name), 1);
    const failure = { code: 'broken', message: `${name} broke` };
    return this.take({ type: 'EffectFailed', data: { effectId: name, step: name, attempt: 1, failure } });
  }

  isCancelled(name: string): this {
    this.open.splice(this.open.indexOf(name), 1);
    return this.take({ type: 'EffectCancelled', data: { effectId: name, step: name } });
  }

  watchEnds(name: string): this {
    return this.take({ type: 'WatchEnded', data: { effectId: name, step: name, detail: `${name} ended` } });
  }

  fires(): this {
    const timer = this.timer ?? '';
    this.timer = null;
    return this.take({ type: 'TimerFired', data: { timerId: timer, step: timer } });
  }

  /** Answers what is open until nothing is. */
  settle(answer: (name: string) => 'succeeds' | 'fails' | 'isCancelled' = () => 'succeeds'): this {
    for (let name = this.open[0]; name !== undefined; name = this.open[0]) this[answer(name)](name);
    return this;
  }
}

describe('a sequence', () => {
  it('takes one group after the other, members side by side, then tells and ends', () => {
    const run = processOf().event('Begin');
    expect(run.open).toEqual(['a']);
    run.succeeds('a');
    expect(run.open).toEqual(['b1', 'b2']);
    run.succeeds('b2').succeeds('b1');
    expect(run.open).toEqual(['c']);
    run.succeeds('c');
    expect(run.open).toEqual(['conclude:tell']);
    run.succeeds('conclude:tell').succeeds('conclude:release');
    expect(run.outcome).toBe('completed');
    expect(run.requested.filter((name) => name.startsWith('undo:'))).toEqual([]);
  });

  it('undoes all it did when the domain refuses the good end, and tells it so', () => {
    const run = processOf().event('Begin').succeeds('a').succeeds('b1').succeeds('b2').succeeds('c');
    run.fails('conclude:tell').settle();
    expect(run.outcome).toBe('failed');
    expect(run.requested.filter((name) => name.startsWith('undo:'))).toEqual([
      'undo:c',
      'undo:b2',
      'undo:b1',
      'undo:a',
    ]);
    expect(run.requested.slice(-2)).toEqual(['conclude-refused:tell', 'conclude-refused:release']);
    expect(run.ending).toMatchObject({ step: 'conclude:tell', failure: { code: 'broken' } });
  });

  it('takes nothing back that the domain was told', () => {
    const run = processOf().event('Begin').succeeds('a').succeeds('b1').succeeds('b2').succeeds('c');
    run.succeeds('conclude:tell').fails('conclude:release');
    expect(run.outcome).toBe('completed');
    expect(run.requested.filter((name) => name.startsWith('undo:'))).toEqual([]);
  });

  it('grows with what an earlier step found', () => {
    const run = processOf().event('Begin').succeeds('a', { more: true }).succeeds('b1').succeeds('b2');
    expect(run.open).toEqual(['c', 'd']);
  });

  it('remembers no more of itself however often it checked', () => {
    const saga = sequence<object>({
      name: 'trial',
      version: 1,
      listensTo: [],
      correlate: () => null,
      start: () => ({}),
      stop: () => null,
      groups: () => [[step('a')]],
      stay: { checkSeconds: () => 60, check: () => effect('idle'), closes: () => null },
      conclude: () => [],
    });
    const sizeAfter = (checks: number) => {
      const events = Array.from({ length: checks }, (_, index) => checkNumber(index + 1)).flat();
      return JSON.stringify(events.reduce((state, event) => saga.evolve(state, event), saga.initial())).length;
    };
    expect(sizeAfter(99)).toBe(sizeAfter(10));
  });

  it('announces its steps at the start', () => {
    const saga = sequence<object>({
      name: 'trial',
      version: 1,
      listensTo: [],
      correlate: () => null,
      start: () => ({}),
      stop: () => null,
      groups: () => [[step('a')], [step('b')]],
      conclude: () => [],
    });
    const started = saga.evolve(saga.initial(), {
      type: 'SagaInputReceived',
      data: { eventId: '1', type: 'Begin', data: {} },
    });
    expect(saga.planned(started).map((planned) => planned.step)).toEqual(['a', 'b']);
  });

  it('lets what is under way come to rest, then undoes the begun steps backwards, the failed one included', () => {
    const run = processOf().event('Begin').succeeds('a').fails('b1');
    expect(run.cancelling).toEqual(['b2']);
    run.isCancelled('b2').settle();
    expect(run.requested).toEqual([
      'a',
      'b1',
      'b2',
      'undo:b2',
      'undo:b1',
      'undo:a',
      'conclude:tell',
      'conclude:release',
    ]);
    expect(run.outcome).toBe('failed');
    expect(run.ending).toMatchObject({ step: 'b1', failure: { code: 'broken' }, leftovers: [] });
  });

  it('undoes a step that succeeded although it was to be cancelled', () => {
    const run = processOf().event('Begin').succeeds('a').event('Stop').succeeds('b1').isCancelled('b2').settle();
    expect(run.requested).toContain('undo:b1');
    expect(run.outcome).toBe('cancelled');
  });

  it('goes on undoing when an undo fails, and says what may be left', () => {
    const run = processOf().event('Begin').succeeds('a').fails('b1').isCancelled('b2').fails('undo:b2').settle();
    expect(run.requested).toContain('undo:a');
    expect(run.ending?.leftovers).toEqual(['b2']);
  });

  it('fails when something that it started ends by itself', () => {
    const run = processOf()
      .event('Begin')
      .succeeds('a')
      .watchEnds('a')
      .settle(() => 'isCancelled');
    expect(run.outcome).toBe('failed');
    expect(run.ending).toMatchObject({ step: 'a', failure: { code: 'ended-by-itself' } });
  });

  it('keeps to its end once it has reached it: a late stop changes nothing', () => {
    const run = processOf().event('Begin').succeeds('a').succeeds('b1').succeeds('b2').succeeds('c').event('Stop');
    run.settle();
    expect(run.outcome).toBe('completed');
    expect(run.requested.filter((name) => name.startsWith('undo:'))).toEqual([]);
  });

  describe('that stays', () => {
    const opened = () =>
      processOf({ stay: true }).event('Begin').succeeds('a').succeeds('b1').succeeds('b2').succeeds('c');

    it('holds what it opened and looks again and again whether to close', () => {
      const run = opened();
      expect(run.outcome).toBeNull();
      run.fires().succeeds('check:1', { idle: false });
      expect(run.timer).toBe('stay:2');
      run.fires();
      expect(run.open).toEqual(['check:2']);
      run.succeeds('check:2', { idle: true }).settle();
      expect(run.outcome).toBe('closed');
      expect(run.requested.filter((name) => name.startsWith('undo:'))).toEqual([
        'undo:c',
        'undo:b2',
        'undo:b1',
        'undo:a',
      ]);
    });

    it('goes on looking when a look fails', () => {
      expect(opened().fires().fails('check:1').timer).toBe('stay:2');
    });

    it('closes when asked and when something of it ends by itself', () => {
      expect(opened().event('Stop').settle().outcome).toBe('closed');
      expect(opened().watchEnds('b1').settle().outcome).toBe('closed');
    });
  });

  it('always ends, asks for nothing twice and undoes every begun step once, whatever happens', () => {
    const happening = fc.constantFrom('succeeds', 'fails', 'isCancelled', 'stop', 'watch');
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (happenings, picks) => {
        const run = processOf().event('Begin');
        for (const what of happenings) {
          const name = run.open[picks.next().value % Math.max(1, run.open.length)];
          if (name === undefined) break;
          if (what === 'stop') run.event('Stop');
          else if (what === 'watch') run.watchEnds('a');
          // The worker cancels only what it was asked to cancel.
          else if (what === 'isCancelled' && !run.cancelling.includes(name)) run.succeeds(name);
          else run[what](name);
        }
        run.settle();
        expect(run.outcome).not.toBeNull();
        expect(new Set(run.requested).size).toBe(run.requested.length);
        const begun = run.requested.filter((name) => !/^(undo|conclude|conclude-refused):/.test(name));
        const undone = run.requested.filter((name) => name.startsWith('undo:'));
        expect(undone).toEqual(run.outcome === 'completed' ? [] : begun.map((name) => `undo:${name}`).reverse());
      }),
    );
  });

  it('does not take names that it gives itself', () => {
    const clashing = sequence<{ readonly id: string }>({
      name: 'trial',
      version: 1,
      listensTo: [],
      correlate: () => null,
      start: () => ({ id: 'x' }),
      stop: () => null,
      groups: () => [[step('check:1')]],
      conclude: () => [],
    });
    const started = clashing.evolve(clashing.initial(), {
      type: 'SagaInputReceived',
      data: { eventId: 'e', type: 'Begin', data: {} },
    });
    expect(() => clashing.planned(started)).toThrow('its prefix is reserved');
  });
});
