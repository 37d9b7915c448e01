import { describe, expect, it } from '@jest/globals';

import { attempt } from './attempt.js';
import type { EffectExecutor } from './effect.port.js';
import type { LeasedEffect } from './leases.js';

const REST_MS = 20;
/** Every failure says what to do. */
const REMEDY = expect.stringMatching(/\S{3}/);
const never = new Promise<never>(() => undefined);
const effect: LeasedEffect = {
  effectId: 'effect',
  stream: 'takebackup-job',
  step: 'export-stop:2000',
  kind: 'export.stop',
  args: {},
  timeoutSeconds: 600,
  retry: { attempts: 2, baseMs: 1, maxMs: 1 },
  correlationId: 'correlation',
  requestedEventId: 'event',
  state: 'pending',
  attempt: 1,
  failures: 0,
  homeIsGone: false,
  leasedUntil: 0,
};

/** As on storage that hangs: it hears that it is to stop and can't. */
const hanging = (where: 'observe' | 'execute'): EffectExecutor => ({
  kind: 'export.stop',
  observe: () => (where === 'observe' ? never : Promise.resolve({ state: 'absent' })),
  execute: () => never,
});

describe.each(['observe', 'execute'] as const)('an attempt whose %s never comes to rest', (where) => {
  const tried = async (reason: string, kind: Partial<EffectExecutor> = {}) => {
    const controller = new AbortController();
    const result = attempt({ ...hanging(where), ...kind }, effect, controller, REST_MS);
    // By then it is in the midst of it.
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(reason);
    return result;
  };

  it('is cancelled all the same', async () => {
    expect(await tried('cancelled')).toEqual({ is: 'cancelled' });
  });

  it('fails after its time limit, and is not made again beside what hangs', async () => {
    const limited = attempt(hanging(where), { ...effect, timeoutSeconds: 0.01 }, new AbortController(), REST_MS);
    expect(await limited).toMatchObject({ is: 'failed', failure: { code: 'timed-out', remedy: REMEDY } });
  });

  it('is waited for when it is to be begun again, and when it waits for the database alone', async () => {
    const waited = async (attempted: Promise<unknown>) =>
      Promise.race([attempted, new Promise((resolve) => setTimeout(resolve, 3 * REST_MS, 'still waited for'))]);
    expect(await waited(tried('lease-lost'))).toBe('still waited for');
    expect(await waited(tried('timed-out', { reach: 'anywhere' }))).toBe('still waited for');
  });
});

it('tells of an unexpected fault where the log is, and what to do', async () => {
  const broken: EffectExecutor = { ...hanging('execute'), execute: () => Promise.reject(new Error('never seen')) };
  const result = await attempt(broken, { ...effect, failures: 1 }, new AbortController());
  expect(result).toMatchObject({ is: 'failed', failure: { code: 'internal', remedy: REMEDY } });
});

describe('an attempt that is told to stop', () => {
  it('may clean up first', async () => {
    const controller = new AbortController();
    const cleaned: string[] = [];
    const tidy: EffectExecutor = {
      kind: 'export.start',
      observe: () => Promise.resolve({ state: 'absent' }),
      execute: async (_args, { signal }) => {
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        await new Promise((resolve) => setTimeout(resolve, REST_MS));
        cleaned.push('the socket');
        throw new Error('given up');
      },
    };
    const result = attempt(tidy, effect, controller, 60_000);
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort('cancelled');
    expect(await result).toEqual({ is: 'cancelled' });
    expect(cleaned).toEqual(['the socket']);
  });
});
