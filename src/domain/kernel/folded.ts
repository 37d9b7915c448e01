/** The form in which names are compared: neither case nor the way accents are written makes a name another one. */
export function folded(name: string): string {
  return name.trim().normalize('NFKC').toLowerCase();
}
