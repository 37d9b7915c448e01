import { CHANGE_TRACKING_RESET } from '#domain/backup/change-id';
import { DomainError } from '#domain/kernel/domain-error';
import { type Certainty, EffectError } from '#platform/sagas/effect.port';

import { printable, VmaAway } from './vma.errors.js';

export const AWAY = 'check the VMA and its tunnel, then start the backup again';
export const RESTARTED = 'it was probably restarted; start the backup again';
const RESET = /change tracking was reset/i;

/** A failure that trying again doesn't mend. */
export function failed(code: string, message: string, remedy: string): EffectError {
  return new EffectError('permanent', { code, message, remedy });
}

/** The agent said something that can't be so. */
export function lied(what: string): EffectError {
  return failed('agent-lied', `the agent's account is not true: ${what}`, 'check its version and its log');
}

/** The agent gave up, with its words if it had any; they must not hold secrets any more. */
export function agentFailed(words: string | null): EffectError {
  const why = words === null || printable(words) === '' ? 'it gave no reason' : printable(words);
  if (RESET.test(why)) {
    const remedy = 'start the backup again with backup_type "auto": it copies this disk whole';
    return failed(CHANGE_TRACKING_RESET, `what changed can't be told any more: ${why}`, remedy);
  }
  return failed('agent-failed', `the agent failed: ${why}`, "look into the agent's log, then start the backup again");
}

/** Refusals as failures of an effect: an agent that is away may come back, everything else stays as it is. */
export function asEffectError(error: unknown): unknown {
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
