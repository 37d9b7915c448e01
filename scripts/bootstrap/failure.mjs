/** Something the user can put right: its message is all they need to see. */
export class Failure extends Error {}

export function fail(message) {
  throw new Failure(message);
}
