import type { Actor, Position } from './event.js';

/** Who asks, in which request, and why: goes into the metadata of every event that a command leads to. */
export interface CommandContext {
  readonly actor: Actor;
  readonly correlationId: string;
  readonly causationId: string;
  /** The same command sent again has the same id, and is recognised by it. */
  readonly commandId: string;
  readonly reason?: string;
  /** What the caller saw of the thing that is to change; it isn't changed when others did so meanwhile. */
  readonly precondition?: Precondition;
  /** Hears of everything that the command decides. */
  readonly witness?: Witness;
}

/** Streams of these categories are only appended to while they are at one of these revisions; -1n is an empty one. */
export interface Precondition {
  readonly categories: readonly string[];
  readonly revisions: readonly bigint[];
}

/** A command's last event in one stream. */
export interface Decision {
  readonly stream: string;
  /** -1n when the command had nothing to add to an empty stream. */
  readonly revision: bigint;
  readonly position: Position;
}

export interface Witness {
  decided(decision: Decision): void;
}
