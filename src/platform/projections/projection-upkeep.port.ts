import type { CheckStatus } from './check-log.js';
import type { WhichBuild } from './projection-progress.port.js';

/** What may be done to the rows of projections. It all goes on by itself once it is said; `ProjectionProgress` tells how far. */
export abstract class ProjectionUpkeep {
  /** Builds them anew beside the live ones; the new generation's number, null when one is being built already. */
  abstract rebuild(name: string): Promise<number | null>;
  /** Gives up the build that is meant, and no later one; false when it is over, or when nobody could read any rows without it. */
  abstract cancel(name: string, build: WhichBuild): Promise<boolean>;
  /** Lets those that stopped try their event again; false when there are none of that name. */
  abstract retry(name: string): Promise<boolean>;
  /** Goes on as if the event, at which they stopped, didn't exist; false when they didn't stop there. */
  abstract skip(
    name: string,
    eventId: string,
    why: { readonly actor: string; readonly reason: string },
  ): Promise<boolean>;
  /** Compares them with the log; asked for again under the same id it is the same comparison. */
  abstract verify(name: string, id: string): Promise<CheckStatus>;
  abstract check(id: string): Promise<CheckStatus | null>;
}
