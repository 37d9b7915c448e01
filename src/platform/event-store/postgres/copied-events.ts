import { type EventMetadata, JsonText, type Position, type StoredEvent } from '#domain/kernel/event';
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

import { positionOf } from './codec.js';

/** The columns of `es.event`, in the order in which `eventsOf` looks for them. */
export const COLUMNS = 'position, stream, revision, id, type, data, metadata, recorded_at';

const HEADER_BYTES = SIGNATURE.length + NO_EXTENSION.length;
const INTEGER_BYTES = 8;

/**
 * The events of a COPY of COLUMNS in PostgreSQL's binary format (its manual, "COPY", "Binary Format"); of one that was cut off,
 * those that are whole. Throws when the end of another one is missing. Each stays the bytes that were sent until somebody looks at a part of it; who keeps one, or its
 * `unparsed`, keeps the whole copy.
 */
export function eventsOf(copied: Buffer, isCut: boolean): readonly StoredEvent[] {
  const events: StoredEvent[] = [];
  for (let at = HEADER_BYTES; at + COUNT_BYTES <= copied.length;) {
    if (copied.readInt16BE(at) === END) return events;
    const event = new CopiedEvent(copied, at);
    if (event.end > copied.length) break;
    events.push(event);
    at = event.end;
  }
  if (!isCut) throw new Error('a copy of the log ends too early');
  return events;
}

/** The same event, with nothing of the copy. */
export function parsed({ id, type, data, metadata, stream, revision, position, recordedAt }: StoredEvent): StoredEvent {
  return { id, type, data, metadata, stream, revision, position, recordedAt };
}

/** A part begins after its length, and ends where the length of the next one begins. */
class CopiedEvent implements StoredEvent {
  readonly end: number;
  private readonly positionAt: number;
  private readonly streamAt: number;
  private readonly revisionAt: number;
  private readonly idAt: number;
  private readonly typeAt: number;
  private readonly dataAt: number;
  private readonly metadataAt: number;
  private readonly recordedAtAt: number;
  private knownPosition: Position | undefined;
  private knownId: string | undefined;
  private parsedData: object | undefined;
  private parsedMetadata: EventMetadata | undefined;

  constructor(
    private readonly copied: Buffer,
    at: number,
  ) {
    this.positionAt = at + COUNT_BYTES + LENGTH_BYTES;
    this.streamAt = this.positionAt + INTEGER_BYTES + LENGTH_BYTES;
    this.revisionAt = this.after(this.streamAt);
    this.idAt = this.revisionAt + INTEGER_BYTES + LENGTH_BYTES;
    this.typeAt = this.idAt + UUID_BYTES + LENGTH_BYTES;
    this.dataAt = this.after(this.typeAt);
    this.metadataAt = this.after(this.dataAt);
    this.recordedAtAt = this.after(this.metadataAt);
    this.end = this.recordedAtAt + INTEGER_BYTES;
  }

  get position(): Position {
    return (this.knownPosition ??= positionOf(this.copied.readBigInt64BE(this.positionAt)));
  }

  get stream(): string {
    return this.text(this.streamAt, this.revisionAt);
  }

  get revision(): bigint {
    return this.copied.readBigInt64BE(this.revisionAt);
  }

  get id(): string {
    return (this.knownId ??= this.uuid());
  }

  get type(): string {
    return this.text(this.typeAt, this.dataAt);
  }

  get data(): object {
    return (this.parsedData ??= JSON.parse(this.text(this.dataAt + JSON_VERSION_BYTES, this.metadataAt)) as object);
  }

  get metadata(): EventMetadata {
    return (this.parsedMetadata ??= JSON.parse(
      this.text(this.metadataAt + JSON_VERSION_BYTES, this.recordedAtAt),
    ) as EventMetadata);
  }

  get recordedAt(): Date {
    const high = this.copied.readInt32BE(this.recordedAtAt);
    const microseconds = high * 2 ** 32 + this.copied.readUInt32BE(this.recordedAtAt + 4);
    return new Date(Math.floor(microseconds / 1000) + EPOCH_MS);
  }

  get unparsed(): JsonText {
    return new JsonText(this.copied.subarray(this.dataAt + JSON_VERSION_BYTES, this.metadataAt - LENGTH_BYTES));
  }

  private text(at: number, next: number): string {
    return this.copied.toString('utf8', at, next - LENGTH_BYTES);
  }

  private uuid(): string {
    const hex = this.copied.toString('hex', this.idAt, this.idAt + UUID_BYTES);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** Where the part after the one that begins here begins; somewhere beyond the end where that is missing. */
  private after(at: number): number {
    if (at > this.copied.length) return at;
    return at + this.copied.readInt32BE(at - LENGTH_BYTES) + LENGTH_BYTES;
  }
}
