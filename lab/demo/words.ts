export function gib(bytes: number): string {
  return (bytes / 1024 ** 3).toFixed(2);
}

/** Percent-encodes the bytes of a path; a name of a guest needn't be text. */
export function encodePath(path: Buffer): string {
  return [...path]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9/._~-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
    })
    .join('');
}

/** Names of guests may hold anything, also control characters that a terminal would obey. */
export function printable(name: string): string {
  return name.replaceAll(/\p{C}/gu, '?');
}
