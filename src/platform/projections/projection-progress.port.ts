import type { Position } from '#domain/kernel/event';

/** Tells a build from all others: the number of one that was given up is given again. */
export interface WhichBuild {
  readonly generation: number;
  readonly startedAt: Date;
}

/** Rows that are being built beside the live ones. */
export interface BuildStatus extends WhichBuild {
  readonly version: number;
  readonly status: 'building' | 'stopped';
  readonly position: Position;
  /** How many events they are made of so far. */
  readonly events: number;
  readonly error: string | null;
  readonly stoppedEventId: string | null;
}

export interface ProjectionStatus {
  readonly name: string;
  /** Of the code that made the rows which are read now. */
  readonly version: number;
  /** Of the code that this program has; another one only while versions change. */
  readonly ownVersion: number;
  /** Counts the sets of rows of one version; a rebuild makes the next one. */
  readonly generation: number;
  readonly position: Position;
  readonly status: 'running' | 'stopped';
  /** Why it stopped, and at which event. */
  readonly error: string | null;
  readonly stoppedEventId: string | null;
  /** How many events its version goes on without, because somebody said so: rows made since lack them. */
  readonly skippedEvents: number;
  /** Age of the oldest event it hasn't looked at; 0 when it has caught up. */
  readonly lagSeconds: number;
  readonly building: BuildStatus | null;
}

/** How far the read models are, for those who answer requests. */
export abstract class ProjectionProgress {
  /** True once all of them have passed the position, false when that takes longer than `timeoutMs`. */
  abstract waitFor(names: readonly string[], position: Position, timeoutMs: number): Promise<boolean>;
  /** The same for the position that another projection, `leader`, has reached: what its rows show, theirs show too. */
  abstract waitForLeader(names: readonly string[], leader: string, timeoutMs: number): Promise<boolean>;
  /** The same for everything that is in the log now. */
  abstract waitForHead(names: readonly string[], timeoutMs: number): Promise<boolean>;
  /** Calls `listener` with a projection's name after each of its commits; answers how to stop that. */
  abstract onAdvance(listener: (name: string) => void): () => void;
  abstract status(): Promise<readonly ProjectionStatus[]>;
  /** Lets a stopped projection, or a stopped rebuild, try its event again; false when there is none of that name. */
  abstract retry(name: string): Promise<boolean>;
}
