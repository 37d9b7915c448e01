import type { Decider } from './decider.js';
import { DomainError } from './domain-error.js';
import type { DomainEvent, JsonObject } from './event.js';

/**
 * Uniqueness across streams: one stream per thing that may exist once (`reponame-…`), free or held by an id. It is
 * appended at the revision read, so of any number of callers one wins. The reservation carries the command that creates
 * what it was made for, so that a crash between the two leaves nothing half made: the register saga goes on.
 */
export type Reserved = DomainEvent<
  'Reserved',
  {
    readonly by: string;
    /** Shown to those who come too late. */
    readonly label: string;
    readonly creates: { readonly category: string; readonly command: JsonObject };
  }
>;

/** The step that creates what was reserved, when nobody has done so before. */
export const REGISTRATION = { saga: 'register', step: 'create' } as const;

/** The thing is free again, and may be reserved by anybody. */
export type ReservationReleased = DomainEvent<'ReservationReleased', { readonly by: string }>;
export type ReservationEvent = Reserved | ReservationReleased;

export type ReservationCommand =
  ({ readonly type: 'Reserve' } & Reserved['data']) | { readonly type: 'Release'; readonly by: string };

export type ReservationState =
  { readonly is: 'free' } | { readonly is: 'held'; readonly by: string; readonly label: string };

export const reservation: Decider<ReservationState, ReservationCommand, ReservationEvent> = {
  initial: { is: 'free' },
  evolve: (_state, event) => {
    switch (event.type) {
      case 'Reserved':
        return { is: 'held', by: event.data.by, label: event.data.label };
      case 'ReservationReleased':
        return { is: 'free' };
    }
  },
  decide: (command, state) => {
    switch (command.type) {
      case 'Reserve': {
        if (state.is === 'held') throw new AlreadyReserved(state.label, state.by);
        const { by, label, creates } = command;
        return [{ type: 'Reserved', data: { by, label, creates } }];
      }
      case 'Release':
        return state.is === 'held' && state.by === command.by
          ? [{ type: 'ReservationReleased', data: { by: command.by } }]
          : [];
    }
  },
};

export class AlreadyReserved extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'already-exists';
  constructor(
    label: string,
    /** Who has it. */
    readonly by: string,
  ) {
    super(`${label} exists already`, 'use the existing one or choose another name', { id: by });
  }
}
