import type { Decider } from '../kernel/decider.js';
import type { DomainEvent } from '../kernel/event.js';
import { type JobEnd, jobEnd } from '../kernel/job-end.js';
import { MountIsGone, NothingReadable } from './mount.errors.js';

/** A restore point of one disk, opened for browsing. Stream: `mount-<mount id>`. */
export type MountRequested = DomainEvent<'MountRequested', MountPlan>;
/** Its files can be listed and downloaded from here on. */
export type MountOpened = DomainEvent<
  'MountOpened',
  { readonly mountId: string; readonly partitions: readonly MountedPartition[] }
>;
/** Somebody wants it closed, or OMA was stopped; `why` says which. One that nobody reads from closes without it. */
export type UnmountRequested = DomainEvent<'UnmountRequested', { readonly mountId: string; readonly why: string }>;
/** It could not be opened; `leftovers` names the steps that could not be undone. */
export type MountFailed = DomainEvent<'MountFailed', MountEnd>;
/** It is closed: somebody asked, nobody read from it (`idle`), or what it stands on ended (`ended-by-itself`); `leftovers` as above. */
export type MountClosed = DomainEvent<'MountClosed', MountEnd>;
export type MountEvent = MountRequested | MountOpened | UnmountRequested | MountFailed | MountClosed;

export type MountPlan = {
  readonly mountId: string;
  readonly backupId: string;
  readonly contextId: string;
  readonly vmName: string;
  readonly diskId: number;
  readonly root: string;
  readonly image: string;
  /** Images beneath it in its chain, oldest first. */
  readonly layers: readonly string[];
  /** The mount closes by itself when nobody has read from it for so long. */
  readonly idleSeconds: number;
};

/** What became of one partition; `reason` says in plain words why it can't be read. Text of the guest is hostile. */
export type MountedPartition = {
  readonly number: number;
  readonly sizeBytes: number;
  readonly filesystem: string | null;
  readonly label: string | null;
  readonly uuid: string | null;
} & (
  | { readonly state: 'mounted'; readonly replayedJournal: boolean }
  | { readonly state: 'unreadable'; readonly reason: string }
);

type MountEnd = { readonly mountId: string } & JobEnd;

export type MountCommand =
  | { readonly type: 'RequestMount'; readonly plan: MountPlan }
  | { readonly type: 'MarkOpened'; readonly mountId: string; readonly partitions: readonly MountedPartition[] }
  | { readonly type: 'RequestUnmount'; readonly mountId: string; readonly why: string }
  | ({ readonly type: 'MarkFailed' } & MountEnd)
  | ({ readonly type: 'MarkClosed' } & MountEnd);

export type MountState = 'unknown' | 'opening' | 'open' | 'closing' | 'gone';

export const mount: Decider<MountState, MountCommand, MountEvent> = {
  initial: 'unknown',
  evolve: (state, event) => {
    switch (event.type) {
      case 'MountRequested':
        return 'opening';
      case 'MountOpened':
        return state === 'opening' ? 'open' : state;
      case 'UnmountRequested':
        return 'closing';
      case 'MountFailed':
      case 'MountClosed':
        return 'gone';
    }
  },
  decide: (command, state) => {
    switch (command.type) {
      case 'RequestMount':
        return state === 'unknown' ? [{ type: 'MountRequested', data: command.plan }] : [];
      case 'MarkOpened': {
        const { mountId, partitions } = command;
        if (!partitions.some((partition) => partition.state === 'mounted')) throw new NothingReadable(partitions);
        return state === 'opening' ? [{ type: 'MountOpened', data: { mountId, partitions } }] : [];
      }
      case 'RequestUnmount': {
        if (state === 'gone' || state === 'unknown') throw new MountIsGone(command.mountId);
        const { mountId, why } = command;
        return state === 'closing' ? [] : [{ type: 'UnmountRequested', data: { mountId, why } }];
      }
      case 'MarkFailed':
        return state === 'gone' ? [] : [{ type: 'MountFailed', data: endOf(command) }];
      case 'MarkClosed':
        return state === 'gone' ? [] : [{ type: 'MountClosed', data: endOf(command) }];
    }
  },
};

function endOf(command: MountEnd): MountEnd {
  return { mountId: command.mountId, ...jobEnd(command) };
}
