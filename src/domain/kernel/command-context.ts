import type { Actor } from './event.js';

/** Who asks, in which request, and why: goes into the metadata of every event that a command leads to. */
export interface CommandContext {
  readonly actor: Actor;
  readonly correlationId: string;
  readonly causationId: string;
  /** The same command sent again has the same id, and is recognised by it. */
  readonly commandId: string;
  readonly reason?: string;
}
