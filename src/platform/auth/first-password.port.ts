/** Where the first admin's password comes from, and how the operator learns it. */
export abstract class FirstPassword {
  /** Chooses a password, has it stored, and tells it once where it wasn't given. `store` says whether it was the first. */
  abstract choose(store: (password: string) => Promise<boolean>): Promise<void>;
}
