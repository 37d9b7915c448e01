import type { Decider } from '../kernel/decider.js';
import type { DomainEvent } from '../kernel/event.js';
import { folded } from '../kernel/folded.js';
import type { Reserved } from '../kernel/reservation.js';
import { RepositoryNameTaken, RepositoryPathTaken } from './repository.errors.js';

/**
 * Names and directories of all repositories, in one stream: whether a directory lies inside another one can't be told
 * from its own name, and both being decided at once leaves nothing to undo when one of them is taken. Like every
 * reservation it carries the command that creates what it was made for. Stream: `repositoryplaces-all`.
 */
export type RepositoryPlaceReserved = DomainEvent<
  'RepositoryPlaceReserved',
  Reserved['data'] & { readonly name: string; readonly path: string }
>;
export type RepositoryPlaceEvent = RepositoryPlaceReserved;
export type RepositoryPlaceCommand = { readonly type: 'ReservePlace' } & RepositoryPlaceReserved['data'];
export type RepositoryPlaceState = readonly { readonly by: string; readonly name: string; readonly path: string }[];

export const repositoryPlace: Decider<RepositoryPlaceState, RepositoryPlaceCommand, RepositoryPlaceEvent> = {
  initial: [],
  evolve: (places, { data: { by, name, path } }) => [...places, { by, name, path }],
  decide: ({ by, label, creates, name, path }, places) => {
    const namesake = places.find((place) => folded(place.name) === folded(name));
    if (namesake !== undefined) throw new RepositoryNameTaken(namesake.name, namesake.by);
    const neighbour = places.find((place) => isWithin(place.path, path) || isWithin(path, place.path));
    if (neighbour !== undefined) throw new RepositoryPathTaken(neighbour.name, neighbour.by);
    return [{ type: 'RepositoryPlaceReserved', data: { by, label, creates, name, path } }];
  },
};

/** Whether `inner` is `outer` or lies below it. Both absolute and without `.` and `..`. */
export function isWithin(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith('/') ? outer : `${outer}/`);
}
