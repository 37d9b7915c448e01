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
  const copy = new Copied(copied);
  for (let at = HEADER_BYTES; at + COUNT_BYTES <= copied.length;) {
    if (copied.readInt16BE(at) === END) return events;
    const event = new CopiedEvent(copy, at);
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

/** What was made of parts of an event that somebody looked at. */
interface Seen {
  readonly of: CopiedEvent;
  id?: string;
  metadata?: EventMetadata;
}

/** The bytes that came, and what was seen of the event that was looked at last: a page has too many for all of it to be kept. */
class Copied {
  private seen: Seen | null = null;

  constructor(readonly bytes: Buffer) {}

  seenOf(event: CopiedEvent): Seen {
    return this.seen?.of === event ? this.seen : (this.seen = { of: event });
  }
}

/** A part begins after its length, and ends where the length of the next one begins. */
class CopiedEvent implements StoredEvent {
  readonly end: number;
  private readonly streamAt: number;
  private readonly revisionAt: number;
  private readonly dataAt: number;
  private readonly metadataAt: number;
  /** Kept, unlike the rest: rows are folded from a page's events after all of their keys were asked for. */
  private parsedData: object | undefined;

  constructor(
    private readonly copied: Copied,
    at: number,
  ) {
    this.streamAt = at + COUNT_BYTES + LENGTH_BYTES + INTEGER_BYTES + LENGTH_BYTES;
    this.revisionAt = this.after(this.streamAt);
    this.dataAt = this.after(this.typeAt);
    this.metadataAt = this.after(this.dataAt);
    this.end = this.after(this.metadataAt) + INTEGER_BYTES;
  }

  get position(): Position {
    return positionOf(this.copied.bytes.readBigInt64BE(this.streamAt - LENGTH_BYTES - INTEGER_BYTES));
  }

  get stream(): string {
    return this.text(this.streamAt, this.revisionAt);
  }

  get revision(): bigint {
    return this.copied.bytes.readBigInt64BE(this.revisionAt);
  }

  get id(): string {
    return (this.copied.seenOf(this).id ??= this.uuid());
  }

  get type(): string {
    return this.text(this.typeAt, this.dataAt);
  }

  get data(): object {
    return (this.parsedData ??= JSON.parse(this.text(this.dataAt + JSON_VERSION_BYTES, this.metadataAt)) as object);
  }

  get metadata(): EventMetadata {
    return (this.copied.seenOf(this).metadata ??= JSON.parse(
      this.text(this.metadataAt + JSON_VERSION_BYTES, this.end - INTEGER_BYTES),
    ) as EventMetadata);
  }

  get recordedAt(): Date {
    const { bytes } = this.copied;
    const high = bytes.readInt32BE(this.end - INTEGER_BYTES);
    const microseconds = high * 2 ** 32 + bytes.readUInt32BE(this.end - INTEGER_BYTES + 4);
    return new Date(Math.floor(microseconds / 1000) + EPOCH_MS);
  }

  get unparsed(): JsonText {
    return new JsonText(this.copied.bytes.subarray(this.dataAt + JSON_VERSION_BYTES, this.metadataAt - LENGTH_BYTES));
  }

  private get idAt(): number {
    return this.revisionAt + INTEGER_BYTES + LENGTH_BYTES;
  }

  private get typeAt(): number {
    return this.idAt + UUID_BYTES + LENGTH_BYTES;
  }

  private text(at: number, next: number): string {
    return this.copied.bytes.toString('utf8', at, next - LENGTH_BYTES);
  }

  private uuid(): string {
    const hex = this.copied.bytes.toString('hex', this.idAt, this.idAt + UUID_BYTES);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** Where the part after the one that begins here begins; somewhere beyond the end where that is missing. */
  private after(at: number): number {
    const { bytes } = this.copied;
    if (at > bytes.length) return at;
    return at + bytes.readInt32BE(at - LENGTH_BYTES) + LENGTH_BYTES;
  }
}
