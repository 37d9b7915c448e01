import type { Decider } from '../kernel/decider.js';
import type { DomainEvent } from '../kernel/event.js';

type Whose = { readonly projection: string; readonly version: number };

/** Somebody wants the rows of a projection built anew. `generation` is the one that is read then; earlier versions left it out. */
export type ProjectionRebuildRequested = DomainEvent<
  'ProjectionRebuildRequested',
  Whose & { readonly generation?: number }
>;
/**
 * Somebody no longer wants the rows that are being built; those that are read stay. `generation` and `startedAt` tell which: the number of
 * rows that were given up is given again. Earlier versions left both out.
 */
export type ProjectionRebuildCancelled = DomainEvent<
  'ProjectionRebuildCancelled',
  Whose & { readonly generation?: number; readonly startedAt?: string }
>;
/** Somebody wants the rows of a projection compared with the log. */
export type ProjectionVerificationRequested = DomainEvent<'ProjectionVerificationRequested', Whose>;
/**
 * Somebody lets a projection that stopped try its event again. `stoppedAt` are the ids of the events at which its rows had stopped, those that are
 * read and those that are being built; null where it was at none. Earlier versions left it out.
 */
export type ProjectionRetryRequested = DomainEvent<
  'ProjectionRetryRequested',
  Whose & { readonly stoppedAt?: readonly (string | null)[] }
>;
/** Somebody lets a projection go on as if the event at which it stopped didn't exist; `reason` in the metadata says why. */
export type ProjectionEventSkipped = DomainEvent<
  'ProjectionEventSkipped',
  Whose & { readonly eventId: string; readonly error: string }
>;

/** What was done to a projection from outside. Stream: `projection-<name>`. */
export type ProjectionUpkeepEvent =
  | ProjectionRebuildRequested
  | ProjectionRebuildCancelled
  | ProjectionVerificationRequested
  | ProjectionRetryRequested
  | ProjectionEventSkipped;

/** Rows aren't facts, so the log has no say in what may be done to them; it keeps who asked for it, when and why. */
export const projectionUpkeep: Decider<null, ProjectionUpkeepEvent, ProjectionUpkeepEvent> = {
  initial: null,
  evolve: () => null,
  decide: (asked) => [asked],
};
