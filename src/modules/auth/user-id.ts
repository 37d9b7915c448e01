import { folded } from '#domain/kernel/folded';
import { idFor } from '#platform/ids/ids';

/** The id that belongs to a name: the user's stream itself keeps names unique. */
export function userIdOf(username: string): string {
  return idFor('user', folded(username));
}
