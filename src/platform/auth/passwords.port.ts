/** Passwords, of which only hashes are kept. */
export abstract class Passwords {
  abstract exists(userId: string): Promise<boolean>;
  /** False when there is one already. */
  abstract setFirst(userId: string, password: string): Promise<boolean>;
  /** Takes as long for users that don't exist. */
  abstract matches(userId: string, password: string): Promise<boolean>;
}
