import type { Position } from '#domain/kernel/event';

export interface ProjectionStatus {
  readonly name: string;
  readonly version: number;
  readonly position: Position;
  readonly status: 'running' | 'stopped';
  /** Why it stopped, and at which event. */
  readonly error: string | null;
  readonly stoppedEventId: string | null;
  /** Age of the newest event it handled while newer ones wait; 0 when it has caught up. */
  readonly lagSeconds: number;
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
  /** Lets a stopped projection try its event again; false when there is no stopped one of that name. */
  abstract retry(name: string): Promise<boolean>;
}
