import { v5, v7 } from 'uuid';

/** OMA's own namespace for names that must lead to the same id whenever they are computed again. */
const NAMESPACE = '6f8d1f6e-3c55-5d0a-9d3b-0e2b1b6f2c11';

/** A new id, random and sortable by time. */
export function newId(): string {
  return v7();
}

/** The id that belongs to a name: the same name gives the same id for ever (UUID version 5, RFC 9562). */
export function idFor(...name: readonly string[]): string {
  return v5(name.join('\u0000'), NAMESPACE);
}
