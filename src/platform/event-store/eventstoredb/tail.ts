import type { Position, StoredEvent } from '#domain/kernel/event';
import { pause } from '#platform/clock/pause';
import { type Doze, Sleepers } from '#platform/clock/sleepers';
import type { Logger } from '#platform/logging/logger.port';

import { selects } from '../append-rules.js';
import type { Selection } from '../event-store.port.js';
import type { EventStoreDbClient, Told } from './client.js';
import { positionOf, type StreamNames, wirePosition } from './codec.js';
import { wasTooSlow } from './failures.js';
import type { Page, Reader } from './reader.js';
import { LogReplaced, type SameLog } from './same-log.js';

const MAX_EVENTS = 4096;
const MAX_BYTES = 16 * 1024 * 1024;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 5000;
/** A subscription that says nothing for so long, although the log has grown, is dead. */
const SILENCE_MS = 10_000;
const POLL_MS = 1000;

interface Kept {
  readonly event: StoredEvent;
  readonly bytes: number;
}

/**
 * The newest part of the log, kept in memory by the one subscription of this process: what is new comes over the wire once,
 * for however many readers. Who is further back reads pages until this has what follows.
 */
export class Tail {
  private readonly sleepers = new Sleepers();
  private readonly life = new AbortController();
  private readonly poll: NodeJS.Timeout;
  private kept: Kept[] = [];
  private bytes = 0;
  /** Everything after this is kept; null until that is known. */
  private keptAfter: Position | null = null;
  /** Everything up to here has come, or was nothing of ours. */
  private upTo: Position = '';
  /** Where the next subscription begins: the same, or a little further where only subscriptions know a position. */
  private resumeAfter: Position = '';
  /** How often something came. */
  private heard = 0;
  private following: Promise<unknown> | null = null;
  private current = new AbortController();

  constructor(
    private readonly client: EventStoreDbClient,
    private readonly reader: Reader,
    private readonly names: StreamNames,
    private readonly sameLog: SameLog,
    private readonly logger: Logger,
    private readonly silenceMs = SILENCE_MS,
  ) {
    this.poll = setInterval(() => {
      this.sleepers.wakeAll();
    }, POLL_MS);
    this.poll.unref();
  }

  /** Follows the log from here on; once it does, it goes on as it does. */
  follow(after: Position): void {
    if (this.following !== null) return;
    this.keptAfter = after;
    this.upTo = after;
    this.resumeAfter = after;
    this.following = Promise.all([this.subscribe(), this.watch()]);
  }

  async close(): Promise<void> {
    this.life.abort();
    this.current.abort();
    clearInterval(this.poll);
    this.sleepers.wakeAll();
    await this.following;
  }

  /** Over when the log may have grown, when `signal` aborts, or when it is ended. */
  doze(signal: AbortSignal): Doze {
    return this.sleepers.doze(signal);
  }

  /** Whether a position is certainly one of this log's, so that nobody needs to ask the server. */
  knows(position: Position): boolean {
    if (position === this.keptAfter || position === this.upTo) return true;
    return this.kept[this.indexAfter(position) - 1]?.event.position === position;
  }

  /** What follows a position; null when not all of it is kept. */
  page(after: Position, selection: Selection, limit: number): Page | null {
    if (this.keptAfter === null || after < this.keptAfter) return null;
    const events: StoredEvent[] = [];
    let upTo = after;
    for (let index = this.indexAfter(after); index < this.kept.length; index += 1) {
      const event = this.kept[index]?.event;
      if (event === undefined) break;
      if (events.length === limit) return { events, upTo, isLast: false };
      upTo = event.position;
      if (selects(selection, event)) events.push(event);
    }
    const end = upTo > this.upTo ? upTo : this.upTo;
    // What this process knows to be stored may still be on its way here.
    return { events, upTo: end, isLast: end >= this.reader.newest };
  }

  private indexAfter(position: Position): number {
    let low = 0;
    let high = this.kept.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.kept[middle]?.event.position ?? '') <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Subscribes again from where it was, whenever a subscription ends. */
  private async subscribe(): Promise<void> {
    let delayMs = FIRST_RETRY_MS;
    while (!this.life.signal.aborted) {
      this.current = new AbortController();
      const signal = AbortSignal.any([this.current.signal, this.life.signal]);
      let came = false;
      try {
        const coming = this.client.subscribe(wirePosition(this.resumeAfter), this.names.filter, signal);
        for await (const told of this.sameLog.vouchFor(coming)) {
          this.take(told);
          delayMs = FIRST_RETRY_MS;
          came = true;
        }
      } catch (error) {
        if (error instanceof LogReplaced) return;
        if (wasTooSlow(error)) {
          // Who was given up before anything came waits a moment, so that it doesn't go round for ever.
          if (came) continue;
        } else this.logger.warn({ error }, 'the subscription to the event store broke; it goes on where it was');
      }
      await pause(delayMs, this.life.signal);
      delayMs = Math.min(MAX_RETRY_MS, delayMs * 2);
    }
  }

  private take(told: Told): void {
    this.heard += 1;
    if ('lookedUpTo' in told) {
      const { commit, prepare } = told.lookedUpTo;
      // While it catches up the server names the place where it will go on, which may not be one of a record yet.
      if (commit === prepare) this.moveTo(positionOf(told.lookedUpTo));
      else if (positionOf(told.lookedUpTo) > this.resumeAfter) this.resumeAfter = positionOf(told.lookedUpTo);
      return;
    }
    if (told.event?.position === undefined) return;
    const position = positionOf(told.event.position);
    // A resumed subscription may begin with what has come already.
    if (position <= this.resumeAfter) return;
    const event = this.names.eventOf(told.event);
    if (event !== null) this.keep(event);
    this.moveTo(position);
    if (event !== null) this.sleepers.wakeAll();
  }

  private moveTo(position: Position): void {
    if (position > this.upTo) this.upTo = position;
    if (position > this.resumeAfter) this.resumeAfter = position;
  }

  private keep(event: StoredEvent): void {
    const bytes = JSON.stringify(event.data).length;
    this.kept.push({ event, bytes });
    this.bytes += bytes;
    this.reader.saw(event.position);
    if (this.kept.length <= MAX_EVENTS && this.bytes <= MAX_BYTES) return;
    const left = this.kept.splice(0, Math.ceil(this.kept.length / 4));
    this.bytes -= left.reduce((sum, { bytes: gone }) => sum + gone, 0);
    this.keptAfter = left.at(-1)?.event.position ?? this.keptAfter;
  }

  /** A connection can die without a word: silence is compared with how far the log really is. */
  private async watch(): Promise<void> {
    const { signal } = this.life;
    let wasBehind = false;
    while (!signal.aborted) {
      const { heard } = this;
      await pause(this.silenceMs, signal);
      const isBehind = this.heard === heard && (await this.reader.head().catch(() => '')) > this.upTo;
      // What is on its way has one more turn to come.
      if (isBehind && wasBehind) {
        this.logger.warn({}, 'the subscription to the event store says nothing any more; it is made anew');
        this.current.abort();
      }
      wasBehind = isBehind && !wasBehind;
    }
  }
}
