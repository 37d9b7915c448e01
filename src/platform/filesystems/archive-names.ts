import { isUtf8 } from 'node:buffer';

const WHOLE_ASCII = 0x80;

/**
 * A guest's name as text that both archive formats and every program that unpacks them take: UTF-8 stays as it is; of other
 * names the bytes that aren't ASCII, and always what some system takes for a separator or a drive, are percent-encoded. No two
 * names become the same: a name in UTF-8 that could be taken for an encoded one is encoded as well.
 */
export function archiveName(name: Buffer): string {
  if (!isUtf8(name)) return withoutSeparators([...name].map(asciiOr).join(''));
  const text = name.toString();
  const isPlain = withoutSeparators(text) === text && !LOOKS_ENCODED.test(text);
  return isPlain ? text : withoutSeparators(text.replaceAll('%', '%25'));
}

const LOOKS_ENCODED = /%[0-9a-f]{2}/i;

function withoutSeparators(text: string): string {
  return text.replaceAll('\\', '%5C').replace(/^([A-Za-z]):/, '$1%3A');
}

/** Whether the archive has the name as the guest has it. */
export function isKept(name: Buffer): boolean {
  return isUtf8(name) && archiveName(name) === name.toString();
}

/** A guest's name for people, on one line. */
export function printableName(name: Buffer): string {
  return archiveName(name).replaceAll(/\p{C}/gu, (character) => encodeURIComponent(character));
}

function asciiOr(byte: number): string {
  const isPlain = byte < WHOLE_ASCII && byte !== 0x25;
  return isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
