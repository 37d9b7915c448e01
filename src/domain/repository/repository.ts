import type { Decider } from '../kernel/decider.js';
import type { DomainEvent } from '../kernel/event.js';

/** Kinds of places that backups can be written to. */
export type RepositoryType = 'local';

export type RepositoryFacts = {
  readonly repositoryId: string;
  readonly name: string;
  readonly type: RepositoryType;
  /** Absolute, with every link in it resolved. */
  readonly path: string;
  readonly enabled: boolean;
  readonly isImmutable: false;
  readonly minRetentionDays: number;
  /** Of all jobs that write to it together; null, and in the oldest facts missing, is no limit. */
  readonly bandwidthBytesPerSecond?: number | null;
};

/** One place for backups. Stream: `repository-<repository id>`. */
export type RepositoryCreated = DomainEvent<'RepositoryCreated', RepositoryFacts>;
export type RepositoryEvent = RepositoryCreated;
export type RepositoryCommand = { readonly type: 'CreateRepository'; readonly repository: RepositoryFacts };
export type RepositoryState = 'unknown' | 'created';

export const repository: Decider<RepositoryState, RepositoryCommand, RepositoryEvent> = {
  initial: 'unknown',
  evolve: () => 'created',
  decide: (command, state) => (state === 'unknown' ? [{ type: 'RepositoryCreated', data: command.repository }] : []),
};
