import { JsonText } from '#domain/kernel/event';
import type { ColumnType } from '#domain/kernel/projection';
import {
  COUNT_BYTES,
  END,
  EPOCH_MS,
  JSON_VERSION_BYTES,
  LENGTH_BYTES,
  NO_EXTENSION,
  SIGNATURE,
  UUID_BYTES,
} from '#platform/database/binary-copy';

const PIECE_BYTES = 1024 * 1024;
const NULL = -1;
const JSON_VERSION = 1;
/** A character of a string takes no more in UTF-8. */
const MOST_BYTES_PER_CHARACTER = 3;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

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
        this.length(8, 8);
        this.used = this.piece.writeBigInt64BE(BigInt(value as number), this.used);
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
    const bytes = this.piece.write(text, this.used + LENGTH_BYTES);
    this.used = this.piece.writeInt32BE(bytes, this.used) + bytes;
  }

  private uuid(text: string): void {
    this.length(UUID_BYTES, UUID_BYTES);
    const hex = text.replaceAll('-', '');
    // No more is written than up to what is no hexadecimal digit.
    const isWhole = hex.length === 2 * UUID_BYTES && this.piece.write(hex, this.used, 'hex') === UUID_BYTES;
    if (!isWhole) throw new TypeError('a uuid is not written as one');
    this.used += UUID_BYTES;
  }

  /** Only as `toISOString` writes it: anything finer than a millisecond would be lost. */
  private moment(text: string): void {
    if (!MOMENT.test(text)) throw new TypeError('a time is not written as toISOString does');
    this.length(8, 8);
    this.used = this.piece.writeBigInt64BE(BigInt(Date.parse(text) - EPOCH_MS) * 1000n, this.used);
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
