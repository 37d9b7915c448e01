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
 * correlation and causation. In bytes, because the client would turn an object into base64 and back, twice; name by name,
 * because that takes a third of the time of a copy.
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
  const { buffer, byteOffset, length } = Buffer.from(JSON.stringify(wire));
  // The client wants the plain class.
  return new Uint8Array(buffer, byteOffset, length);
}

/** What `wireMetadata` was given; null when something else wrote the event. */
function metadataOf(wire: unknown): EventMetadata | null {
  if (typeof wire !== 'object' || wire === null) return null;
  const { actorKind, actorId, schemaVersion, $correlationId, $causationId, ...rest } = wire as Readonly<
    Record<string, string>
  >;
  if ([actorKind, actorId, schemaVersion, $correlationId, $causationId].includes(undefined)) return null;
  const actor = { kind: actorKind, id: actorId } as Actor;
  return { ...rest, actor, schemaVersion: Number(schemaVersion) } as unknown as EventMetadata;
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
