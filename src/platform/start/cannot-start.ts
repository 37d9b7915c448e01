/** OMA can't start, for a reason that whoever started it can do something about. */
export abstract class CannotStart extends Error {
  /** What the program ends with, after sysexits.h. */
  abstract readonly exitCode: number;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Something that OMA stands on doesn't answer; a later start may succeed. */
export class Unavailable extends CannotStart {
  readonly exitCode = 69;
}

/** Whoever started it wants it to stop, before it was there. */
export class Interrupted extends CannotStart {
  readonly exitCode = 0;
}

/** What OMA was given doesn't fit: a setting, a key, an account, a database of a newer version. */
export class Misfit extends CannotStart {
  readonly exitCode = 78;
}
