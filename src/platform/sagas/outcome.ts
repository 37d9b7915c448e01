import type { AttemptResult } from './attempt.js';

/** What the log is told of an attempt. */
export type Ended = Extract<AttemptResult, { is: 'succeeded' | 'failed' | 'cancelled' }>;

/** In the place of an outcome that no log takes, as a text with half a character: what can't be told must not keep a job from its end. */
export const NOT_STORABLE: Ended = {
  is: 'failed',
  failure: {
    code: 'outcome-not-storable',
    message: 'what became of the step can not be written down',
    remedy: 'look into the log under the correlation id: it says what is wrong with it',
  },
  cause: null,
};

/** As an input of the saga that asked. */
export function outcomeOf(ref: { effectId: string; step: string }, attemptNumber: number, result: Ended) {
  switch (result.is) {
    case 'succeeded':
      return { type: 'EffectSucceeded', data: { ...ref, attempt: attemptNumber, result: result.result } } as const;
    case 'failed':
      return { type: 'EffectFailed', data: { ...ref, attempt: attemptNumber, failure: result.failure } } as const;
    case 'cancelled':
      return { type: 'EffectCancelled', data: ref } as const;
  }
}
