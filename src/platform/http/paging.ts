import { createHash } from 'node:crypto';

import type { FastifyReply, FastifyRequest } from 'fastify';

import { ISO_MOMENT } from '#platform/clock/moment';

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

/** What a part of a cursor is: a moment as `toISOString` writes it, a whole number, a position of the log, or any text. */
export type CursorPart = 'moment' | 'number' | 'position' | 'text';

/** How a list was asked for: page, place and filters. */
interface Asked {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

const MARK_CHARACTERS = 8;

/** A list as it was asked for. Its cursors are of no use in another one, or under other filters: pages of both would be mixed. */
export class List {
  private readonly limit: number;
  private readonly cursor: string | undefined;
  private readonly filters: object;

  constructor(
    private readonly name: string,
    { limit = Infinity, cursor, ...filters }: Asked,
  ) {
    this.limit = limit;
    this.cursor = cursor;
    this.filters = filters;
  }

  /** The values of the order in the last row of the page before, or null on the first. Throws UnknownCursor. */
  after(...parts: readonly CursorPart[]): readonly string[] | null {
    if (this.cursor === undefined) return null;
    try {
      const decoded = Buffer.from(this.cursor, 'base64url');
      const [mark, ...values] = JSON.parse(decoded.toString()) as readonly unknown[];
      // What isn't in the alphabet is passed over by the decoder.
      const isWhole = decoded.toString('base64url') === this.cursor;
      const fits = isWhole && mark === this.mark && values.length === parts.length;
      if (fits && parts.every((part, at) => isPart(part, values[at]))) return values as readonly string[];
    } catch {
      // Neither JSON nor a list: refused below.
    }
    throw new UnknownCursor();
  }

  /** A page of what was found, one row more than asked for if there is a next one. `placeOf` are the values of the order. */
  page<Row>(
    found: readonly Row[],
    placeOf: (row: Row) => readonly string[],
  ): { readonly rows: readonly Row[]; readonly next: string | null } {
    const rows = found.slice(0, this.limit);
    const last = rows.at(-1);
    return { rows, next: found.length > this.limit && last !== undefined ? this.cursorTo(placeOf(last)) : null };
  }

  private get mark(): string {
    const given = Object.entries(this.filters).filter(([, value]) => value !== undefined);
    const text = JSON.stringify([this.name, given.toSorted(([one], [other]) => (one < other ? -1 : 1))]);
    return createHash('sha256').update(text).digest('base64url').slice(0, MARK_CHARACTERS);
  }

  private cursorTo(place: readonly string[]): string {
    return Buffer.from(JSON.stringify([this.mark, ...place])).toString('base64url');
  }
}

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
      return ISO_MOMENT.test(value) && !Number.isNaN(Date.parse(value));
  }
}

/** Bare arrays have no room for a cursor: the next page is named by a `Link` header (RFC 8288). */
export function linkToNext(request: FastifyRequest, reply: FastifyReply, cursor: string | null): void {
  if (cursor === null) return;
  const url = new URL(request.url, 'http://oma');
  url.searchParams.set('cursor', cursor);
  void reply.header('link', `<${url.pathname}${url.search}>; rel="next"`);
}
