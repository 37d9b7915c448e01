/** Where the first admin's password comes from, and how the operator learns it. */
export abstract class FirstPassword {
  /** Chooses a password, has it stored, and tells it once where it wasn't given. */
  abstract choose(store: (password: string) => Promise<void>): Promise<void>;
}
