/** Text that PostgreSQL can keep: without NUL and without halves of surrogate pairs. */
const STORABLE = /^[^\0\p{Cs}]*$/u;

export function isStorable(text: string): boolean {
  return STORABLE.test(text);
}
