import { Misfit } from '#platform/start/cannot-start';

const CANCELLED = 1;
const UNKNOWN = 2;
const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;
const ABORTED = 10;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const TRANSIENT_CODES = [CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, UNAVAILABLE];
const TRANSIENT_TYPES = ['cancelled', 'timeout', 'deadline-exceeded', 'unavailable', 'not-leader'];
const TRANSIENT_WORDS =
  /RST_STREAM|Server Is (?:Not Ready|Busy)|No leader info|Channel has been shut down|Failed to discover/;
/** So the client says that the server refused what it was sent. */
const REFUSED = 'BadRequest';
/** After these the client dials again by itself. */
const DIALS_AGAIN = ['cancelled', 'unavailable', 'not-leader'];

/** The server gave no answer in time. What was asked may have been done. */
export class NoAnswer extends Error {
  constructor(withinMs: number) {
    super(`the event store gave no answer within ${withinMs} ms`);
    this.name = 'NoAnswer';
  }
}

/** The server knew of no batches of appends when it was asked, as before EventStoreDB 21.10. Nothing was sent. */
export class NoBatches extends Misfit {
  constructor() {
    super('the event store takes no batches of appends: OMA needs EventStoreDB 21.10 or later; see EVENTSTORE_URL');
    this.name = 'NoBatches';
  }
}

/** The connection was given up while something was being read. */
export class CutOff extends Error {
  constructor() {
    super('the connection to the event store was given up');
    this.name = 'CutOff';
  }
}

const NEED_A_NEW_CLIENT = [NoAnswer, NoBatches];

/** What is known of an error of the client: its classes are many, and some errors have none of them. */
interface Shape {
  readonly type: string | null;
  readonly code: number | null;
  readonly message: string;
}

function shapeOf(error: unknown): Shape {
  const { type, code, message } = (error ?? {}) as { type?: unknown; code?: unknown; message?: unknown };
  return {
    type: typeof type === 'string' ? type : null,
    code: typeof code === 'number' ? code : null,
    message: typeof message === 'string' ? message : '',
  };
}

/** Whether the same may well succeed a moment later. What was sent may have been done: only repeat what may be repeated. */
export function isTransient(error: unknown): boolean {
  if (error instanceof NoAnswer || error instanceof CutOff || error instanceof NoBatches) return true;
  const { type, code, message } = shapeOf(error);
  if (type !== null && TRANSIENT_TYPES.includes(type)) return true;
  return (code !== null && TRANSIENT_CODES.includes(code)) || TRANSIENT_WORDS.test(message);
}

/**
 * Whether an append that failed so may be stored all the same, or may well be a moment later: the server, or something on the way to
 * it, failed before it said what it made of it. Reads are told other things by the same codes.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  const { type, code, message } = shapeOf(error);
  if (isTransient(error) || failedItself({ type, code })) return true;
  return type === 'unknown' && code === null && !message.includes(REFUSED);
}

/** An error of no other kind than that something went wrong on the server. */
function failedItself({ type, code }: Pick<Shape, 'type' | 'code'>): boolean {
  return (code === INTERNAL || code === UNKNOWN) && (type === null || type === 'unknown');
}

/**
 * Whether the client may go on failing by itself: it keeps an answer about the server's features, also a failed one, until
 * an error of a few kinds makes it dial again.
 */
export function mayBeStuck(error: unknown): boolean {
  if (NEED_A_NEW_CLIENT.some((kind) => error instanceof kind)) return true;
  const { type, code, message } = shapeOf(error);
  const dialsAgain = code === UNAVAILABLE || code === CANCELLED || (type !== null && DIALS_AGAIN.includes(type));
  // A stream that worked until it broke, or a reply on one that works.
  const worked = code === ABORTED || code === RESOURCE_EXHAUSTED || (type !== null && code === null);
  // Every other call gives its errors a type, this question doesn't.
  const asked = type === null && failedItself({ type, code });
  return asked || (TRANSIENT_WORDS.test(message) && !dialsAgain && !worked);
}

/** The server gave a slow reader up; nothing is wrong with it, it only has to go on where it was. */
export function wasTooSlow(error: unknown): boolean {
  const { type, code } = shapeOf(error);
  return code === ABORTED || type === 'timeout';
}

/** How the server says that a position is on no record. */
export function isOffRecord(error: unknown): boolean {
  return shapeOf(error).code === UNKNOWN;
}

export function isMissingStream(error: unknown): boolean {
  return shapeOf(error).type === 'stream-not-found';
}

export function isDeletedStream(error: unknown): boolean {
  return shapeOf(error).type === 'stream-deleted';
}

export function isTooLarge(error: unknown): boolean {
  return shapeOf(error).type === 'maximum-append-size-exceeded';
}

/** The revision at which the server says the stream is, -1n when there is none; null when the error says something else. */
export function actualRevision(error: unknown): bigint | null {
  if (shapeOf(error).type !== 'wrong-expected-version') return null;
  const { actualVersion } = error as { readonly actualVersion?: unknown };
  return typeof actualVersion === 'bigint' ? actualVersion : -1n;
}
