import type { Position, StoredEvent } from '#domain/kernel/event';
import { pause } from '#platform/clock/pause';
import { type Doze, Sleepers } from '#platform/clock/sleepers';
import type { EventStore } from '#platform/event-store/event-store.port';
import type { Logger } from '#platform/logging/logger.port';

import { frameOf } from './frames.js';

/** An event with its text, which is made once for all readers. */
export interface Framed {
  readonly event: StoredEvent;
  readonly frame: string;
}

export interface Stretch {
  readonly events: readonly Framed[];
  /** Everything up to here was looked at. */
  readonly upTo: Position;
}

const MAX_EVENTS = 10_000;
const MAX_CHARACTERS = 16 * 1024 * 1024;
const STRETCH = 500;
/** What is appended meanwhile comes in one piece; it is what a reader may be late by. */
const GATHER_MS = 20;
const TICK_MS = 1000;
const RETRY_MS = 1000;

/**
 * The newest part of the log, read once for all who follow it live. It is followed only while somebody does. Readers take
 * from it at their own pace; who falls behind what is kept reads the log itself until the two meet again.
 */
export class EventTail {
  private readonly sleepers = new Sleepers();
  private kept: Framed[] = [];
  private characters = 0;
  /** What lies behind it is kept. */
  private begin: Position = '';
  private upTo: Position = '';
  private readers = 0;
  private following: Promise<AbortController> | null = null;
  /** Of the newest beginning: an older one may hear of its head later. */
  private current: AbortController | null = null;

  constructor(
    private readonly store: EventStore,
    private readonly logger: Logger,
  ) {}

  /** Resolves when the tail is followed. Everyone who joined leaves once. */
  async join(): Promise<void> {
    this.readers += 1;
    this.following ??= this.begun();
    try {
      await this.following;
    } catch (error) {
      this.following = null;
      this.readers -= 1;
      throw error;
    }
  }

  leave(): void {
    this.readers -= 1;
    if (this.readers > 0) return;
    const following = this.following;
    this.following = null;
    void following?.then((controller) => {
      controller.abort();
    });
  }

  /** What comes after a position, a stretch at a time; null when the position is older than what is kept. */
  after(position: Position): Stretch | null {
    if (position < this.begin) return null;
    const from = firstAfter(this.kept, position);
    const events = this.kept.slice(from, from + STRETCH);
    const isAll = from + events.length === this.kept.length;
    const reached = isAll ? this.upTo : (events.at(-1)?.event.position ?? position);
    return { events, upTo: reached > position ? reached : position };
  }

  /** Whether what comes after this position is kept. */
  reaches(position: Position): boolean {
    return position >= this.begin;
  }

  /** Over when there may be more, at the latest after a second. */
  doze(signal: AbortSignal): Doze {
    return this.sleepers.doze(signal);
  }

  private async begun(): Promise<AbortController> {
    const controller = new AbortController();
    this.current = controller;
    const head = await this.store.head();
    if (this.current !== controller) return controller;
    this.kept = [];
    this.characters = 0;
    this.begin = head;
    this.upTo = head;
    void this.follow(controller.signal);
    return controller;
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const tick = setInterval(() => {
      this.sleepers.wakeAll();
    }, TICK_MS);
    while (!signal.aborted) {
      try {
        for await (const { events, upTo } of this.store.subscribe({ after: this.upTo, signal })) {
          if (this.isLeft(signal)) break;
          this.keep(events, upTo);
          this.sleepers.wakeAll();
          await pause(GATHER_MS, signal);
        }
      } catch (error) {
        this.logger.error({ error }, 'the tail of the log could not be followed; it tries again');
      }
      // Also when it just ended, as that of a log that is closed does at once, again and again.
      await pause(RETRY_MS, signal);
    }
    clearInterval(tick);
  }

  /** Nobody reads any more; by now somebody may have begun anew. */
  private isLeft(signal: AbortSignal): boolean {
    return signal.aborted;
  }

  private keep(events: readonly StoredEvent[], upTo: Position): void {
    for (const event of events) {
      const frame = frameOf(event);
      this.kept.push({ event, frame });
      this.characters += frame.length;
    }
    this.upTo = upTo;
    if (this.kept.length > MAX_EVENTS || this.characters > MAX_CHARACTERS) this.forgetOldest();
  }

  /** A half at once: moving the rest costs as much as keeping it. */
  private forgetOldest(): void {
    while (this.kept.length > MAX_EVENTS / 2 || this.characters > MAX_CHARACTERS / 2) {
      const gone = this.kept.splice(0, Math.ceil(this.kept.length / 2));
      const last = gone.at(-1);
      if (last === undefined) return;
      this.begin = last.event.position;
      this.characters -= gone.reduce((sum, { frame }) => sum + frame.length, 0);
    }
  }
}

/** Index of the first event behind a position; they are in order. */
function firstAfter(kept: readonly Framed[], position: Position): number {
  let low = 0;
  let high = kept.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((kept[middle]?.event.position ?? '') > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
