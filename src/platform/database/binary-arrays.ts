import { JSON_VERSION, JSON_VERSION_BYTES, LENGTH_BYTES, UUID_BYTES } from './binary-copy.js';

/** Numbers of types that never change (PostgreSQL's source, `pg_type.dat`). */
const OID = { bigint: 20, text: 25, uuid: 2950, jsonb: 3802 } as const;
const BIGINT_BYTES = 8;
const DASHES = /-/g;
/** How many dimensions, whether one is null, which type. */
const HEAD_BYTES = 12;
/** How many elements, and the index of the first. */
const DIMENSION_BYTES = 8;

/**
 * Arrays as PostgreSQL takes them in binary (its source, `array_recv` in `arrayfuncs.c`), without nulls. `pg` sends a Buffer in that
 * format. As text each element is escaped here and read there character by character, which costs both sides more than anything
 * else about an append of many events.
 */
export function textArray(texts: readonly string[]): Buffer {
  const bytes = texts.map((text) => Buffer.byteLength(text));
  return arrayOf('text', bytes, (array, index, at) => {
    array.write(texts[index] ?? '', at);
  });
}

/** Throws RangeError for a number that takes more than 64 bits. */
export function bigintArray(numbers: readonly bigint[]): Buffer {
  return arrayOf('bigint', filled(numbers, BIGINT_BYTES), (array, index, at) => {
    array.writeBigInt64BE(numbers[index] ?? 0n, at);
  });
}

/** Of ids with their dashes. Throws TypeError for what is none. */
export function uuidArray(ids: readonly string[]): Buffer {
  return arrayOf('uuid', filled(ids, UUID_BYTES), (array, index, at) => {
    const digits = (ids[index] ?? '').replace(DASHES, '');
    // What isn't a digit ends the writing, and what is too much is left out, both without a word.
    const isWhole = digits.length === 2 * UUID_BYTES && array.write(digits, at, UUID_BYTES, 'hex') === UUID_BYTES;
    if (!isWhole) throw new TypeError('a uuid is not written as one');
  });
}

/** Of JSON in text. */
export function jsonArray(documents: readonly string[]): Buffer {
  const bytes = documents.map((json) => JSON_VERSION_BYTES + Buffer.byteLength(json));
  return arrayOf('jsonb', bytes, (array, index, at) => {
    array.write(documents[index] ?? '', array.writeUInt8(JSON_VERSION, at));
  });
}

/** `bytes` says how long each element is, `write` puts it there. */
function arrayOf(
  type: keyof typeof OID,
  bytes: readonly number[],
  write: (array: Buffer, index: number, at: number) => void,
): Buffer {
  const isEmpty = bytes.length === 0;
  const size = bytes.reduce((sum, length) => sum + LENGTH_BYTES + length, HEAD_BYTES + (isEmpty ? 0 : DIMENSION_BYTES));
  const array = Buffer.allocUnsafe(size);
  let at = array.writeInt32BE(isEmpty ? 0 : 1, 0);
  at = array.writeInt32BE(0, at);
  at = array.writeInt32BE(OID[type], at);
  if (isEmpty) return array;
  at = array.writeInt32BE(bytes.length, at);
  at = array.writeInt32BE(1, at);
  for (const [index, length] of bytes.entries()) {
    at = array.writeInt32BE(length, at);
    write(array, index, at);
    at += length;
  }
  return array;
}

function filled(elements: readonly unknown[], bytes: number): readonly number[] {
  return elements.map(() => bytes);
}
