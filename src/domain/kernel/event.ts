/** Who caused an event. Ids are opaque: no names or addresses in clear. */
export interface Actor {
  readonly kind: 'user' | 'appliance' | 'saga' | 'schedule' | 'system';
  readonly id: string;
}

/** What every event carries beside its fact: who, why, and what led to it. */
export interface EventMetadata {
  readonly actor: Actor;
  /** Copied from cause to effect: one value for everything that one request set in motion. */
  readonly correlationId: string;
  /** Id of the command or event that led directly to this one. */
  readonly causationId: string;
  readonly commandId?: string;
  /** Mandatory for destructive commands. */
  readonly reason?: string;
  /** Id of the OMA that took the command; what a saga sets going because of it lives there. */
  readonly instance?: string;
  readonly schemaVersion: number;
}

/** A fact in the past tense. Type names belong to the domain and never change meaning. */
export interface DomainEvent<Type extends string = string, Data extends object = object> {
  readonly type: Type;
  readonly data: Data;
}

export interface NewEvent<E extends DomainEvent = DomainEvent> {
  /** A UUID; the same id appended again to the same place is recognised, not stored twice. */
  readonly id: string;
  readonly type: E['type'];
  readonly data: E['data'];
  readonly metadata: EventMetadata;
}

/** Opaque, sortable with `<`, of fixed width; the empty string stands before the first event. */
export type Position = string;

export interface StoredEvent<E extends DomainEvent = DomainEvent> extends NewEvent<E> {
  /** `category-id`; the first `-` ends the category. */
  readonly stream: string;
  /** 0 for the first event of a stream, contiguous. */
  readonly revision: bigint;
  readonly position: Position;
  /** The store's clock, millisecond precision. Never order by it. */
  readonly recordedAt: Date;
  /** The same as `data`, for those who only pass it on; only where the log has it as text and it wasn't parsed yet. */
  readonly unparsed?: JsonText;
}

/** JSON that nobody has looked into, as the bytes of its text. */
export class JsonText {
  constructor(readonly utf8: Uint8Array) {}
}

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}
