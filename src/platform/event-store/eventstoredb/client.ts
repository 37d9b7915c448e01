import type { Readable } from 'node:stream';

import { EventStoreDBClient, streamNameFilter } from '@eventstore/db-client';

import { guardClient } from './client-guards.js';
import type { WireEvent, WireNewEvent, WirePosition } from './codec.js';
import { CutOff, isOutcomeUnknown, isTransient, mayBeStuck, NoAnswer, wasTooSlow } from './failures.js';
import { Intake } from './intake.js';
import { inBytes } from './json-bytes.js';

/** The server gives a write up after 2 s; an answer that takes longer than this was lost. */
const APPEND_MS = 4000;
const READ_MS = 6000;
const KEEP_ALIVE_MS = 10_000;
/** A client that fails for so long is replaced, whatever it says. */
const STALE_MS = 5000;
/** As many events as a filtered reader looks at before it tells how far it is. */
const SEARCH_WINDOW = 32;

interface Dialled {
  readonly client: EventStoreDBClient;
  readonly hangUp: () => void;
  /** When the server said something last, or when this client was made. */
  answeredAt: number;
}

export type WireRevision = bigint | 'no_stream' | 'stream_exists' | 'any';

/** What a subscription brings: an event, or how far it has looked. */
export type Told = { readonly event?: WireEvent } | { readonly lookedUpTo: WirePosition };

export interface ReadOptions<From> {
  readonly from: From | null;
  readonly direction: 'forward' | 'backward';
  readonly limit: number;
  readonly signal: AbortSignal;
  readonly withinMs?: number;
}

/**
 * The one place that knows the client of EventStoreDB. One attempt per call, with a time limit of its own; whether another
 * one is safe is known elsewhere. Whoever calls has checked what is sent: some of what it doesn't check ends the process.
 */
export class EventStoreDbClient {
  private dialled: Dialled;
  private closed = false;
  private generation = 0;
  /** Give up what is being read, for each reading call: the client ends what it disposes of as if all had come. */
  private readonly open = new Set<() => void>();

  constructor(
    private readonly url: string,
    private readonly onCaught: (error: unknown) => void,
    /** Called whenever somebody else may answer from now on: a call failed, or calls go over a new connection. */
    private readonly onDoubt: () => void,
  ) {
    this.dialled = this.dial();
  }

  /** The server needn't say where it put the events. */
  async append(
    stream: string,
    expectedRevision: WireRevision,
    events: readonly WireNewEvent[],
  ): Promise<{ readonly revision: bigint; readonly position: WirePosition | undefined }> {
    const wire = events.map(inBytes);
    const dialled = this.inUse();
    try {
      const appending = dialled.client.appendToStream(stream, wire, { expectedRevision, deadline: APPEND_MS });
      const { nextExpectedRevision: revision, position } = await within(appending, APPEND_MS);
      dialled.answeredAt = performance.now();
      return { revision, position };
    } catch (error) {
      this.renewIfStuck(dialled, error, isOutcomeUnknown(error));
      throw error;
    }
  }

  readStream(stream: string, options: ReadOptions<bigint>): AsyncGenerator<WireEvent> {
    const forward = options.direction === 'forward';
    return this.read(options, (client) =>
      client.readStream(stream, {
        fromRevision: options.from ?? (forward ? 'start' : 'end'),
        direction: forward ? 'forwards' : 'backwards',
        ...(options.limit < Infinity && { maxCount: options.limit }),
      }),
    );
  }

  /** Forward `from` is inclusive, backward it is exclusive. */
  readAll(options: ReadOptions<WirePosition>): AsyncGenerator<WireEvent> {
    const forward = options.direction === 'forward';
    return this.read(options, (client) =>
      client.readAll({
        fromPosition: options.from ?? (forward ? 'start' : 'end'),
        direction: forward ? 'forwards' : 'backwards',
        ...(options.limit < Infinity && { maxCount: options.limit }),
      }),
    );
  }

  /** Everything after `after` whose stream's name matches; throws the error that ended the subscription. */
  async *subscribe(after: WirePosition | null, filter: string, signal: AbortSignal): AsyncGenerator<Told> {
    const dialled = this.inUse();
    const subscription = dialled.client.subscribeToAll({
      fromPosition: after ?? 'start',
      filter: streamNameFilter({
        regex: filter,
        maxSearchWindow: SEARCH_WINDOW,
        checkpointReached: (_subscription, lookedUpTo) => {
          intake.mark({ lookedUpTo });
        },
      }),
    });
    const intake = new Intake<Told>(asReadable(subscription), () => subscription.unsubscribe(), signal);
    yield* this.taking(dialled, intake, null);
  }

  /** Whatever is asked afterwards is refused with CutOff. */
  async close(): Promise<void> {
    this.closed = true;
    await this.letGo(this.dialled);
  }

  /** Never one that was let go of: it would dial once more, and nobody would hang up. */
  private inUse(): Dialled {
    if (this.closed) throw new CutOff();
    return this.dialled;
  }

  private async *read<From>(
    { signal, withinMs = READ_MS }: ReadOptions<From>,
    open: (client: EventStoreDBClient) => ReturnType<EventStoreDBClient['readAll'] | EventStoreDBClient['readStream']>,
  ): AsyncGenerator<WireEvent> {
    const dialled = this.inUse();
    const call = open(dialled.client);
    const intake = new Intake<{ readonly event?: WireEvent }>(asReadable(call), () => call.cancel(), signal);
    for await (const { event } of this.taking(dialled, intake, withinMs)) if (event !== undefined) yield event;
  }

  private async *taking<Item>(dialled: Dialled, intake: Intake<Item>, withinMs: number | null): AsyncGenerator<Item> {
    const cutOff = () => {
      intake.fail(new CutOff());
    };
    this.open.add(cutOff);
    try {
      for await (const item of intake.items(withinMs)) {
        dialled.answeredAt = performance.now();
        yield item;
      }
    } catch (error) {
      // Who asked for an answer sooner than usual has learnt nothing about the connection.
      if (!(error instanceof NoAnswer) || withinMs === READ_MS) this.renewIfStuck(dialled, error);
      throw error;
    } finally {
      this.open.delete(cutOff);
    }
  }

  private dial(): Dialled {
    this.generation += 1;
    // Connections with other settings are other connections: a new client doesn't inherit how long the old one would wait
    // before it dials again, which grows to two minutes.
    const keepAlive = `keepAliveInterval=${KEEP_ALIVE_MS + (this.generation % 1000)}`;
    const client = EventStoreDBClient.connectionString(`${this.url}${this.url.includes('?') ? '&' : '?'}${keepAlive}`);
    const hangUp = guardClient(client, this.onCaught, this.onDoubt);
    return { client, hangUp, answeredAt: performance.now() };
  }

  /** Once per client: the first of many that failed together makes the new one. */
  private renewIfStuck(dialled: Dialled, error: unknown, isOutage = isTransient(error)): void {
    if (isOutage && !wasTooSlow(error)) this.onDoubt();
    if (this.closed || this.dialled !== dialled || !isOutage) return;
    if (!mayBeStuck(error) && performance.now() - dialled.answeredAt < STALE_MS) return;
    this.dialled = this.dial();
    for (const cutOff of [...this.open]) cutOff();
    void this.letGo(dialled);
  }

  private async letGo({ client, hangUp }: Dialled): Promise<void> {
    await client.dispose().catch(this.onCaught);
    hangUp();
  }
}

/** The client's streams are Node's, with listeners declared so narrowly that the compiler doesn't see it. */
function asReadable(call: unknown): Readable {
  return call as Readable;
}

/** The result, or NoAnswer after so long. */
function within<Result>(work: Promise<Result>, ms: number): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new NoAnswer(ms));
    }, ms);
    work.then(
      (result) => {
        clearTimeout(timer);
        resolve(result);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
