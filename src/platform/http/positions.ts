import { Injectable } from '@nestjs/common';

import type { Position } from '#domain/kernel/event';
import { EventStore, InvalidPosition } from '#platform/event-store/event-store.port';

import { MalformedRequest, PositionAhead, UnknownPosition } from './edge.errors.js';

/** No store has longer ones; what is in between is for the store to judge. */
const POSITION = /^[\x21-\x7e]{0,128}$/;

/** Positions as callers send them: opaque, so it is the log that says which ones it gave. */
@Injectable()
export class Positions {
  constructor(private readonly store: EventStore) {}

  head(): Promise<Position> {
    return this.store.head();
  }

  /** Throws UnknownPosition for what this log never gave, and PositionAhead for what it didn't give yet. */
  async known(given: string): Promise<Position> {
    const [isKnown, newest] = await Promise.all([this.isKnown(given), this.store.head()]);
    if (!isKnown) throw new UnknownPosition(newest);
    if (given > newest) throw new PositionAhead(newest);
    return given;
  }

  private async isKnown(given: string): Promise<boolean> {
    if (!POSITION.test(given)) return false;
    try {
      for await (const event of this.store.readAll({ after: given, limit: 1 })) return event.position > given;
      return true;
    } catch (error) {
      if (error instanceof InvalidPosition) return false;
      throw error;
    }
  }
}

/** A header that is to be sent once; null without it. */
export function singleHeader(headers: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = headers[name.toLowerCase()];
  if (value === undefined) return null;
  if (typeof value === 'string') return value;
  throw new MalformedRequest([{ field: name, message: 'must be sent once' }]);
}
