import type { JsonObject } from '#domain/kernel/event';
import type { Failure } from '#domain/kernel/saga';

import { type EffectContext, EffectError, type EffectExecutor } from './effect.port.js';
import type { LeasedEffect } from './leases.js';
import { splitStream } from './saga-log.js';

/** How one attempt at an effect went. `interrupted` says nothing: the next owner will look. */
export type AttemptResult =
  | { readonly is: 'succeeded'; readonly result: JsonObject }
  | { readonly is: 'failed'; readonly failure: Failure; readonly cause: unknown }
  | { readonly is: 'again'; readonly delayMs: number; readonly cause: unknown }
  | { readonly is: 'cancelled' }
  | { readonly is: 'interrupted' };

/** Why a running attempt was told to stop. */
export type AbortReason = 'cancelled' | 'timed-out' | 'shutting-down' | 'lease-lost';

const INSTANCE_GONE: Failure = {
  code: 'instance-gone',
  message: 'the OMA instance that had it under way gave no sign of life and was given up',
  remedy: 'start that instance again: at its start it removes what belongs to no job any more',
};
const UNKNOWN_STEP: Failure = {
  code: 'unknown-step',
  message: 'this OMA does not know how to do this step',
  remedy: 'run the same version of OMA on all instances',
};
const TIMED_OUT: Failure = {
  code: 'timed-out',
  message: 'the step took longer than it may',
  remedy: 'look whether storage, network and agent are slow or hang, then start the job again',
};
const UNEXPECTED: Failure = {
  code: 'internal',
  message: 'an unexpected fault; the log has it under the correlation id',
  remedy: 'look into the log; if it was a passing trouble, start the job again',
};

/**
 * Who is told to stop cleans up and comes to rest. Who can't, because it waits for storage that hangs, isn't waited for
 * longer than this: no job may hang for ever on what nobody can end. Nor is it begun again: it would hang beside the first,
 * and each takes one of the few threads that all files share. What is to be begun again elsewhere, and what waits for the
 * database, is waited for.
 */
const REST_MS = 30_000;
const ENDS_ATTEMPTS: readonly AbortReason[] = ['cancelled', 'timed-out'];

class NoRest extends Error {
  override readonly name = 'NoRest';
}

/** Looks first, then acts, and says what became of it. Never throws. */
export async function attempt(
  executor: EffectExecutor | undefined,
  effect: LeasedEffect,
  controller: AbortController,
  restMs = REST_MS,
): Promise<AttemptResult> {
  // A cancel that comes before the first attempt needs no look: nothing was begun.
  if (effect.state === 'cancelling' && effect.attempt === 1) return { is: 'cancelled' };
  if (executor === undefined) return { is: 'failed', failure: UNKNOWN_STEP, cause: null };
  if (effect.homeIsGone && executor.reach === 'machine') {
    // Nobody can look there. An undo that fails names what may be left.
    if (effect.state === 'cancelling') return { is: 'cancelled' };
    return { is: 'failed', failure: INSTANCE_GONE, cause: null };
  }
  const context = {
    effectId: effect.effectId,
    saga: splitStream(effect.stream).category,
    requestedEventId: effect.requestedEventId,
    attempt: effect.attempt,
    correlationId: effect.correlationId,
    signal: controller.signal,
  };
  const limit = setTimeout(() => {
    controller.abort('timed-out' satisfies AbortReason);
  }, effect.timeoutSeconds * 1000);
  // A step that is left behind at a stop keeps no process alive.
  limit.unref();
  const rest = restlessAfter(executor.reach === 'anywhere' ? null : restMs, controller.signal);
  try {
    return await Promise.race([lookAndAct(executor, effect, context), rest.over]);
  } catch (error) {
    return judge(error, effect, controller.signal);
  } finally {
    clearTimeout(limit);
    rest.clear();
  }
}

async function lookAndAct(
  executor: EffectExecutor,
  effect: LeasedEffect,
  context: EffectContext,
): Promise<AttemptResult> {
  const found = await executor.observe(effect.args, context);
  if (found.state === 'done') return { is: 'succeeded', result: found.result };
  if (effect.state === 'cancelling') return { is: 'cancelled' };
  // Who is told to stop while it looks must not begin: an executor may wait for an abort that has been already.
  context.signal.throwIfAborted();
  return { is: 'succeeded', result: await executor.execute(effect.args, context) };
}

/** `over` rejects so long after an abort that ends the attempts. */
function restlessAfter(ms: number | null, signal: AbortSignal): { readonly over: Promise<never>; clear(): void } {
  let timer: NodeJS.Timeout | undefined;
  let begin: () => void = () => undefined;
  const over = new Promise<never>((_, reject) => {
    begin = () => {
      if (ms === null || !ENDS_ATTEMPTS.includes(signal.reason as AbortReason)) return;
      timer = setTimeout(() => {
        reject(new NoRest('it was told to stop and did not come to rest'));
      }, ms).unref();
    };
  });
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  return {
    over,
    clear: () => {
      signal.removeEventListener('abort', begin);
      clearTimeout(timer);
    },
  };
}

function judge(error: unknown, effect: LeasedEffect, signal: AbortSignal): AttemptResult {
  const reason = signal.aborted ? (signal.reason as AbortReason) : null;
  if (reason === 'cancelled') return { is: 'cancelled' };
  if (reason === 'shutting-down' || reason === 'lease-lost') return { is: 'interrupted' };
  const permanent = error instanceof NoRest || (error instanceof EffectError && error.certainty === 'permanent');
  if (!permanent && effect.failures + 1 < effect.retry.attempts) {
    return { is: 'again', delayMs: backoffMs(effect), cause: error };
  }
  return { is: 'failed', failure: failureOf(error, reason), cause: error };
}

function failureOf(error: unknown, reason: AbortReason | null): Failure {
  if (reason === 'timed-out') return TIMED_OUT;
  return error instanceof EffectError ? error.failure : UNEXPECTED;
}

/** Full jitter: a random delay up to the doubled limit, so that many retries don't come together. */
function backoffMs(effect: LeasedEffect): number {
  const ceiling = Math.min(effect.retry.maxMs, effect.retry.baseMs * 2 ** effect.failures);
  return Math.max(effect.retry.baseMs / 2, Math.random() * ceiling);
}
