/** One forward step of the schema. An id, once released, never changes its meaning. */
export interface Migration {
  readonly id: string;
  readonly sql: string;
}

/** All steps in order. Tables of projections aren't here: the runner makes them from their shapes. */
export const migrations: readonly Migration[] = [];
