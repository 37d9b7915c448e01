import { JsonText } from '#domain/kernel/event';
import type { ColumnType } from '#domain/kernel/projection';
import { ISO_MOMENT } from '#platform/clock/moment';
import {
  COUNT_BYTES,
  END,
  EPOCH_MS,
  JSON_VERSION,
  JSON_VERSION_BYTES,
  LENGTH_BYTES,
  NO_EXTENSION,
  SIGNATURE,
  UUID_BYTES,
} from '#platform/database/binary-copy';

const PIECE_BYTES = 1024 * 1024;
const NULL = -1;
/** A character of a string takes no more in UTF-8. */
const MOST_BYTES_PER_CHARACTER = 3;
/** Up to here a character is one byte in UTF-8, and that is its number. */
const ASCII = 0x7f;
/** So short a text is written faster here than by a call to what isn't JavaScript. */
const SHORT = 64;
const DASH = 0x2d;
const UUID_DIGITS = 2 * UUID_BYTES;
const TWO_TO_THE_32 = 2 ** 32;

/** Rows in PostgreSQL's binary format for COPY (its manual, "COPY", "Binary Format"). */
export class BinaryRows {
  private readonly columns: readonly [string, ColumnType][];
  private readonly pieces: Buffer[] = [];
  private piece = Buffer.allocUnsafe(PIECE_BYTES);
  private used = 0;

  constructor(columns: Readonly<Record<string, ColumnType>>) {
    this.columns = Object.entries(columns);
    this.bytes(SIGNATURE);
    this.bytes(NO_EXTENSION);
  }

  /** Throws when a value is none of its column's type; what was added before is of no use then. */
  add(row: Readonly<Record<string, unknown>>): void {
    this.room(COUNT_BYTES);
    this.used = this.piece.writeInt16BE(this.columns.length, this.used);
    for (const [name, type] of this.columns) this.value(row[name], type);
  }

  /** All of it, in pieces; nothing can be added any more. */
  end(): readonly Buffer[] {
    this.room(COUNT_BYTES);
    this.used = this.piece.writeInt16BE(END, this.used);
    return [...this.pieces, this.piece.subarray(0, this.used)];
  }

  private value(value: unknown, type: ColumnType): void {
    if (value === null || value === undefined) {
      this.length(NULL, 0);
      return;
    }
    switch (type) {
      case 'text':
        this.text(wordsOf(value));
        return;
      case 'uuid':
        this.uuid(wordsOf(value));
        return;
      case 'bigint':
        this.bigint(value as number);
        return;
      case 'integer':
        this.length(4, 4);
        this.used = this.piece.writeInt32BE(value as number, this.used);
        return;
      case 'double precision':
        this.length(8, 8);
        this.used = this.piece.writeDoubleBE(value as number, this.used);
        return;
      case 'boolean':
        this.length(1, 1);
        this.used = this.piece.writeUInt8(value === true ? 1 : 0, this.used);
        return;
      case 'timestamptz':
        this.moment(wordsOf(value));
        return;
      case 'jsonb':
        this.json(value instanceof JsonText ? value.utf8 : Buffer.from(JSON.stringify(value)));
    }
  }

  private text(text: string): void {
    this.room(LENGTH_BYTES + text.length * MOST_BYTES_PER_CHARACTER);
    const at = this.used + LENGTH_BYTES;
    const bytes = this.ascii(text, at) ? text.length : this.piece.write(text, at);
    this.used = this.piece.writeInt32BE(bytes, this.used) + bytes;
  }

  /** Whether the text is short and ASCII, and stands there now. */
  private ascii(text: string, at: number): boolean {
    if (text.length > SHORT) return false;
    for (let index = 0; index < text.length; index += 1) {
      const character = text.charCodeAt(index);
      if (character > ASCII) return false;
      this.piece[at + index] = character;
    }
    return true;
  }

  private uuid(text: string): void {
    this.length(UUID_BYTES, UUID_BYTES);
    let [digits, byte] = [0, 0];
    for (let index = 0; index < text.length; index += 1) {
      const character = text.charCodeAt(index);
      if (character === DASH) continue;
      byte = byte * 16 + digitOf(character);
      digits += 1;
      if (digits > UUID_DIGITS) break;
      if (digits % 2 === 1) continue;
      this.piece[this.used] = byte;
      this.used += 1;
      byte = 0;
    }
    if (digits !== UUID_DIGITS) throw new TypeError('a uuid is not written as one');
  }

  private bigint(value: number | bigint | string): void {
    this.length(8, 8);
    if (Number.isSafeInteger(value)) {
      const high = Math.floor((value as number) / TWO_TO_THE_32);
      this.used = this.piece.writeInt32BE(high, this.used);
      this.used = this.piece.writeUInt32BE((value as number) - high * TWO_TO_THE_32, this.used);
    } else this.used = this.piece.writeBigInt64BE(BigInt(value), this.used);
  }

  /** Only as `toISOString` writes it: anything finer than a millisecond would be lost. */
  private moment(text: string): void {
    if (!ISO_MOMENT.test(text)) throw new TypeError('a time is not written as toISOString does');
    const microseconds = (Date.parse(text) - EPOCH_MS) * 1000;
    // Far from the year 2000 a number isn't fine enough.
    this.bigint(Number.isSafeInteger(microseconds) ? microseconds : BigInt(Date.parse(text) - EPOCH_MS) * 1000n);
  }

  private json(utf8: Uint8Array): void {
    this.length(JSON_VERSION_BYTES + utf8.length, JSON_VERSION_BYTES);
    this.used = this.piece.writeUInt8(JSON_VERSION, this.used);
    this.bytes(utf8);
  }

  private length(bytes: number, follow: number): void {
    this.room(LENGTH_BYTES + follow);
    this.used = this.piece.writeInt32BE(bytes, this.used);
  }

  private bytes(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.piece.set(bytes, this.used);
    this.used += bytes.length;
  }

  /** Begins another piece where there is no room for so many bytes. */
  private room(bytes: number): void {
    if (this.used + bytes <= this.piece.length) return;
    this.pieces.push(this.piece.subarray(0, this.used));
    this.piece = Buffer.allocUnsafe(Math.max(PIECE_BYTES, bytes));
    this.used = 0;
  }
}

function wordsOf(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('a value of a column of words is none');
  return value;
}

/** Of a hexadecimal digit's character. */
function digitOf(character: number): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  // Of capitals, what makes them small.
  const small = character | 0x20;
  if (small >= 0x61 && small <= 0x66) return small - 0x61 + 10;
  throw new TypeError('a uuid is not written as one');
}
