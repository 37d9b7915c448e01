import type { Ending } from './sequence.js';

/** Why a job ended that wasn't completed, as its last event tells it. */
export type JobEnd = {
  /** The step at which it ended; null when it was between steps. */
  readonly step: string | null;
  readonly code: string;
  readonly message: string;
  readonly remedy: string | null;
  /** Steps whose undoing failed: something of them may be left. */
  readonly leftovers: readonly string[];
};

/** What a sequence that didn't complete has to say. */
export function jobEndOf({ step, failure, leftovers }: Ending): JobEnd {
  return {
    step,
    code: failure?.code ?? 'unknown',
    message: failure?.message ?? 'no reason was given',
    remedy: failure?.remedy ?? null,
    leftovers,
  };
}

/** The end alone, out of a command that holds more. */
export function jobEnd({ step, code, message, remedy, leftovers }: JobEnd): JobEnd {
  return { step, code, message, remedy, leftovers };
}
