import type { Readable } from 'node:stream';

import { Injectable, type OnModuleDestroy } from '@nestjs/common';

import { until } from '#platform/clock/until';
import { isDatabaseAway } from '#platform/database/database-away';
import { EventStore } from '#platform/event-store/event-store.port';
import { TooManyStreams } from '#platform/http/edge.errors';
import { Sessions } from '#platform/http/sessions.port';
import { Logger } from '#platform/logging/logger.port';

import { type Reading, textFor } from './event-reader.js';
import { EventTail } from './event-tail.js';
import { closingFrame } from './frames.js';
import { TextStream, TooSlow } from './text-stream.js';

/** Why a stream ended. */
export type Closing = 'left' | 'too-slow' | 'signed-out' | 'stopping' | 'failed';

const MAX_PER_USER = 16;
/** So long a reader may leave a piece untaken. */
const TAKEN_WITHIN_MS = 10_000;
const SESSION_CHECK_MS = 5000;
/** So long a reader goes on although the database can't say whether it is still signed in. */
const UNCHECKED_MS = 60_000;
const TOLD_WITHIN_MS = 1000;

/** All open streams of events: how many each user may have, and why each of them ended. */
@Injectable()
export class EventStreams implements OnModuleDestroy {
  private readonly tail: EventTail;
  private readonly stopping = new AbortController();
  private readonly openOf = new Map<string, number>();
  private readonly listeners: ((why: Closing) => void)[] = [];

  constructor(
    private readonly store: EventStore,
    private readonly sessions: Sessions,
    private readonly logger: Logger,
  ) {
    this.tail = new EventTail(store, logger);
  }

  /** Ends all of them, so that a clean stop doesn't wait for readers; those who read hear why. */
  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await until(() => Promise.resolve(this.openOf.size === 0 ? true : null), TOLD_WITHIN_MS);
  }

  /** How many are open now. */
  get readers(): number {
    return [...this.openOf.values()].reduce((sum, open) => sum + open, 0);
  }

  /** Hears of each that ended, and why. */
  onClosed(listener: (why: Closing) => void): void {
    this.listeners.push(listener);
  }

  /** Text for one reader, who is signed in with this token. Throws TooManyStreams. */
  async open(
    reader: { readonly userId: string; readonly token: string; readonly correlationId: string },
    what: Omit<Reading, 'mayGoOn'>,
  ): Promise<Readable> {
    const open = this.openOf.get(reader.userId) ?? 0;
    if (open >= MAX_PER_USER) throw new TooManyStreams(MAX_PER_USER);
    this.openOf.set(reader.userId, open + 1);
    try {
      await this.tail.join();
    } catch (error) {
      this.leave(reader.userId);
      throw error;
    }
    return this.readable(reader, what);
  }

  private readable(
    { userId, token, correlationId }: { userId: string; token: string; correlationId: string },
    what: Omit<Reading, 'mayGoOn'>,
  ): Readable {
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, this.stopping.signal]);
    let why: Closing = 'left';
    const reading = {
      ...what,
      mayGoOn: this.sessionWatch(userId, token, () => {
        why = 'signed-out';
      }),
    };
    const stopping = this.stopping.signal;
    const text = textFor(reading, { store: this.store, tail: this.tail, signal });
    async function* untilClosed(): AsyncGenerator<string> {
      yield* text;
      if (stopping.aborted) why = 'stopping';
      yield closingFrame(why);
    }
    const stream = new TextStream(untilClosed(), {
      takenWithinMs: TAKEN_WITHIN_MS,
      onGone: () => {
        gone.abort();
      },
    });
    let failure: Error | null = null;
    stream.once('error', (error) => {
      failure = error;
      why = error instanceof TooSlow ? 'too-slow' : 'failed';
    });
    stream.once('close', () => {
      this.tail.leave();
      this.leave(userId);
      this.tell(why, userId, correlationId, failure);
    });
    return stream;
  }

  /** Whoever signs out is in the log: the look at the session comes with that event, and besides every few seconds. */
  private sessionWatch(userId: string, token: string, onEnd: () => void): Reading['mayGoOn'] {
    let lookedAt = performance.now();
    let sawAt = lookedAt;
    /** Null where nobody can tell just now. */
    const isSignedIn = async () => {
      try {
        return (await this.sessions.principalOf(token)) !== null;
      } catch (error) {
        if (!isDatabaseAway(error) || performance.now() - sawAt > UNCHECKED_MS) throw error;
        return null;
      }
    };
    return async (events) => {
      const isDue = performance.now() - lookedAt > SESSION_CHECK_MS;
      if (!isDue && !events.some(({ stream }) => stream === `user-${userId}`)) return true;
      const signedIn = await isSignedIn();
      lookedAt = performance.now();
      if (signedIn === true) sawAt = lookedAt;
      if (signedIn === false) onEnd();
      return signedIn !== false;
    };
  }

  private leave(userId: string): void {
    const left = (this.openOf.get(userId) ?? 1) - 1;
    if (left > 0) this.openOf.set(userId, left);
    else this.openOf.delete(userId);
  }

  private tell(why: Closing, userId: string, correlationId: string, failure: Error | null): void {
    for (const listener of this.listeners) listener(why);
    const fields = { why, user: userId, correlationId };
    if (why === 'failed') this.logger.error({ ...fields, error: failure }, 'a stream of events failed');
    else if (why === 'too-slow') this.logger.warn(fields, 'a stream of events was closed: its reader is too slow');
    else this.logger.info(fields, 'a stream of events ended');
  }
}
