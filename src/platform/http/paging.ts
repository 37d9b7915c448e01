import type { FastifyReply, FastifyRequest } from 'fastify';

import { UnknownCursor } from './edge.errors.js';
import { Text, Whole } from './fields.js';
import { isStorable } from './storable.js';

const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 1000;

/** What every list takes. */
export class PageRequest {
  @Whole({
    about: `at most so many; ${DEFAULT_LIMIT} by default`,
    min: 1,
    max: MAX_LIMIT,
    optional: true,
    inQuery: true,
  })
  readonly limit: number = DEFAULT_LIMIT;

  @Text({ about: 'next_cursor of the page before', optional: true })
  readonly cursor?: string;
}

/** The values by which a list is ordered, of the last row of a page, as an opaque text. */
export function cursorOf(...values: readonly string[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

/** What a part of a cursor is: a moment as `toISOString` writes it, a whole number, a position of the log, or any text. */
export type CursorPart = 'moment' | 'number' | 'position' | 'text';

/** What `cursorOf` was given, or null without a cursor. Throws UnknownCursor when it isn't one of this list. */
export function readCursor(cursor: string | undefined, ...parts: readonly CursorPart[]): readonly string[] | null {
  if (cursor === undefined) return null;
  try {
    const values = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown;
    if (
      Array.isArray(values) &&
      values.length === parts.length &&
      parts.every((part, at) => isPart(part, values[at]))
    ) {
      return values as readonly string[];
    }
  } catch {
    // Not JSON: refused below.
  }
  throw new UnknownCursor();
}

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const NUMBER = /^\d{1,9}$/;
/** Of whichever log. */
const POSITION = /^\d{20}(\/\d{20})?$/;

function isPart(part: CursorPart, value: unknown): boolean {
  if (typeof value !== 'string') return false;
  switch (part) {
    case 'text':
      return isStorable(value);
    case 'position':
      return POSITION.test(value);
    case 'number':
      return NUMBER.test(value);
    case 'moment':
      return MOMENT.test(value) && !Number.isNaN(Date.parse(value));
  }
}

/** A page of what was found, one row more than asked for if there is a next one. `placeOf` are the values of the order. */
export function pageOf<Row>(
  found: readonly Row[],
  limit: number,
  placeOf: (row: Row) => readonly string[],
): { readonly rows: readonly Row[]; readonly next: string | null } {
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  return { rows, next: found.length > limit && last !== undefined ? cursorOf(...placeOf(last)) : null };
}

/** Bare arrays have no room for a cursor: the next page is named by a `Link` header (RFC 8288). */
export function linkToNext(request: FastifyRequest, reply: FastifyReply, cursor: string | null): void {
  if (cursor === null) return;
  const url = new URL(request.url, 'http://oma');
  url.searchParams.set('cursor', cursor);
  void reply.header('link', `<${url.pathname}${url.search}>; rel="next"`);
}
