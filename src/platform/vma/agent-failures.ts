import { DomainError } from '#domain/kernel/domain-error';
import { type Certainty, EffectError } from '#platform/sagas/effect.port';

import { VmaAway } from './vma.errors.js';

/** Refusals as failures of an effect: an agent that is away may come back, everything else stays as it is. */
function asEffectError(error: unknown): unknown {
  if (!(error instanceof DomainError)) return error;
  const { code, message, remedy } = error;
  const certainty: Certainty = error instanceof VmaAway ? 'transient' : 'permanent';
  return new EffectError(certainty, { code, message, ...(remedy !== undefined && { remedy }) }, { cause: error });
}

/** Runs `work` and translates what it throws. */
export async function inUserWords<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw asEffectError(error);
  }
}
