/** One forward step of the schema. An id, once released, never changes its meaning. */
export interface Migration {
  readonly id: string;
  readonly sql: string;
}
