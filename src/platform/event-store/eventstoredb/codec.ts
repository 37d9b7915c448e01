import type { Actor, EventMetadata, Position, StoredEvent } from '#domain/kernel/event';

import { type Expected, InvalidPosition } from '../event-store.port.js';

const POSITION = /^(\d{20})\/(\d{20})$/;
const DIGITS = 20;
const LARGEST = 2n ** 63n - 1n;

/** Where the server says something stands: offsets in its log. */
export interface WirePosition {
  readonly commit: bigint;
  readonly prepare: bigint;
}

/** An event as the client gives it. */
export interface WireEvent {
  readonly streamId: string;
  readonly id: string;
  readonly revision: bigint;
  readonly type: string;
  readonly isJson: boolean;
  readonly data: unknown;
  readonly metadata?: unknown;
  readonly created: Date;
  readonly position?: WirePosition | undefined;
}

/** An event to be stored, known to be good. */
export interface WireNewEvent {
  readonly id: string;
  readonly type: string;
  /** JSON in bytes, as is the metadata. */
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

/** Offsets with leading zeros, so that they sort as text. */
export function positionOf({ commit, prepare }: WirePosition): Position {
  return `${String(commit).padStart(DIGITS, '0')}/${String(prepare).padStart(DIGITS, '0')}`;
}

/** The offsets behind a position; null stands before the first event. Throws InvalidPosition. */
export function wirePosition(position: Position): WirePosition | null {
  if (position === '') return null;
  const parts = POSITION.exec(position);
  const [commit = LARGEST + 1n, prepare = 0n] = parts === null ? [] : parts.slice(1).map(BigInt);
  if (commit > LARGEST || prepare > commit) throw new InvalidPosition(position);
  return { commit, prepare };
}

/** How the client is told what a caller expects. */
export function wireRevision(expected: Expected): bigint | 'no_stream' | 'stream_exists' | 'any' {
  switch (expected) {
    case 'no-stream':
      return 'no_stream';
    case 'stream-exists':
      return 'stream_exists';
    default:
      return expected;
  }
}

type WireMetadata = Readonly<
  Record<
    Exclude<keyof EventMetadata, 'actor'> | 'actorKind' | 'actorId' | '$correlationId' | '$causationId',
    string | undefined
  >
>;

/**
 * Metadata as the server gets it: text only, as its later calls want it, and the two names that its own tools know for
 * correlation and causation. Name by name, because that takes a third of the time of a copy.
 */
export function wireMetadata(metadata: EventMetadata): Uint8Array {
  const { actor, correlationId, causationId, commandId, reason, instance, schemaVersion } = metadata;
  const wire: WireMetadata = {
    correlationId,
    causationId,
    commandId,
    reason,
    instance,
    schemaVersion: String(schemaVersion),
    actorKind: actor.kind,
    actorId: actor.id,
    $correlationId: correlationId,
    $causationId: causationId,
  };
  return utf8(JSON.stringify(wire));
}

/** A text in bytes of the plain class, which is the only one that the client takes as it is. */
export function utf8(text: string): Uint8Array {
  const { buffer, byteOffset, length } = Buffer.from(text);
  return new Uint8Array(buffer, byteOffset, length);
}

const NEVER_ABSENT = [
  'actorKind',
  'actorId',
  'schemaVersion',
  'correlationId',
  'causationId',
  '$correlationId',
  '$causationId',
] as const;

/** What `wireMetadata` was given; null when something else wrote the event. Name by name as well: every event comes here. */
function metadataOf(given: unknown): EventMetadata | null {
  if (typeof given !== 'object' || given === null) return null;
  const wire = given as Partial<WireMetadata>;
  const { actorKind, actorId, correlationId, causationId, commandId, reason, instance, schemaVersion } = wire;
  if (NEVER_ABSENT.some((name) => wire[name] === undefined)) return null;
  return {
    actor: { kind: actorKind, id: actorId } as Actor,
    correlationId,
    causationId,
    ...(commandId !== undefined && { commandId }),
    ...(reason !== undefined && { reason }),
    ...(instance !== undefined && { instance }),
    schemaVersion: Number(schemaVersion),
  } as EventMetadata;
}

/** Holds one record, whose id is that of the log. No event can be in it: streams of events have a hyphen in their names. */
export const NAME_OF_LOG = 'omalog';

/** The names that the streams of one OMA have on the server, which others may write to as well. */
export class StreamNames {
  private readonly prefix: string;
  private readonly form: RegExp;

  constructor(namespace: string) {
    this.prefix = namespace === '' ? '' : `${namespace}.`;
    this.form = new RegExp(this.filter);
  }

  /** What the server is asked to send, as a regular expression on the names of streams. */
  get filter(): string {
    return `^${this.prefix.replace('.', '\\.')}[a-z]+-`;
  }

  onServer(stream: string): string {
    return `${this.prefix}${stream}`;
  }

  /** An event of this OMA; null for what the server or another program wrote. */
  eventOf(wire: WireEvent): StoredEvent | null {
    const { position, streamId } = wire;
    if (!wire.isJson || wire.type.startsWith('$') || position === undefined || !this.form.test(streamId)) return null;
    const metadata = metadataOf(wire.metadata);
    if (metadata === null) return null;
    return {
      id: wire.id,
      type: wire.type,
      data: wire.data as object,
      metadata,
      stream: streamId.slice(this.prefix.length),
      revision: wire.revision,
      position: positionOf(position),
      recordedAt: wire.created,
    };
  }
}
