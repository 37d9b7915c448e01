import type { ServerWritableStream } from '@grpc/grpc-js';
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';

import { CODES, wireError } from './append-calls.js';
import type { Misbehaviour } from './misbehaviour.js';
import type { Recorded, ServerLog } from './server-log.js';
import { shared, streams } from './wire.js';

const FORWARDS = 0;
/** Live, the server keeps so many messages for a subscriber that doesn't take them fast enough, and then drops it. */
const LIVE_MESSAGES = 64;
const DEFAULT_WINDOW = 32;
/** What ends the wait for a slow reader. */
const SIGNS = ['drain', 'close', 'cancelled', 'error'] as const;

type ReadCall = ServerWritableStream<ReadReq, ReadResp>;

/** The double's answers to reads and subscriptions. */
export class ReadCalls {
  private readonly subscriptions = new Set<Subscription>();

  constructor(
    private readonly log: ServerLog,
    private readonly wrong: Misbehaviour,
    private readonly whenAwake: (answer: () => void) => void,
  ) {}

  read(call: ReadCall): void {
    call.on('error', () => undefined);
    this.whenAwake(() => {
      const options = call.request.getOptions();
      if (options === undefined) return;
      if (options.hasSubscription()) this.subscribe(call, options);
      else if (options.hasStream()) this.readStream(call, options);
      else this.readAll(call, options);
    });
  }

  /** The server gives all its subscribers up as too slow. */
  dropSubscribers(): void {
    for (const subscription of [...this.subscriptions]) subscription.drop();
  }

  get subscribers(): number {
    return this.subscriptions.size;
  }

  private readStream(call: ReadCall, options: ReadReq.Options): void {
    const from = options.getStream();
    const name = Buffer.from(from?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString();
    const events = this.log.stream(name);
    if (events === null) {
      const missing = new streams.ReadResp.StreamNotFound();
      call.write(new streams.ReadResp().setStreamNotFound(missing.setStreamIdentifier(from?.getStreamIdentifier())));
      call.end();
      return;
    }
    const revision = from?.hasRevision() === true ? BigInt(from.getRevision()) : null;
    const forward = (options.getReadDirection() as number) === FORWARDS;
    const last = events.length - 1;
    const wanted = forward
      ? upwards(events, Number(revision ?? 0n))
      : downwards(events, revision === null ? last : Math.min(last, Number(revision)));
    this.send(call, wanted, options);
  }

  private readAll(call: ReadCall, options: ReadReq.Options): void {
    const all = options.getAll();
    const forward = (options.getReadDirection() as number) === FORWARDS;
    const { records } = this.log;
    let index = all?.hasEnd() === true ? records.length : 0;
    if (all?.hasPosition() === true) {
      const found = this.log.indexOf(BigInt(all.getPosition()?.getCommitPosition() ?? '0'));
      if (found === null) {
        call.emit('error', wireError(CODES.unknown, 'Unexpected ReadAllResult: Error'));
        return;
      }
      index = found;
    }
    // Forward the record at the position itself comes first, backward it doesn't come.
    this.send(call, forward ? upwards(records, index) : downwards(records, index - 1), options);
  }

  private send(call: ReadCall, events: Iterable<Recorded>, options: ReadReq.Options): void {
    const count = BigInt(options.getCount());
    if (count === 0n) {
      call.emit('error', wireError(CODES.invalid, 'maxCount must be positive'));
      return;
    }
    void sendAll(call, messages(events, count)).then(() => {
      call.end();
    });
  }

  private subscribe(call: ReadCall, options: ReadReq.Options): void {
    const all = options.getAll();
    let index = all?.hasEnd() === true ? this.log.records.length : 0;
    if (all?.hasPosition() === true) {
      const position = all.getPosition();
      const found = this.log.indexOf(BigInt(position?.getCommitPosition() ?? '0'));
      if (found === null) {
        call.emit('error', wireError(CODES.unknown, 'Unexpected ReadAllResult: Error'));
        return;
      }
      // Behind the record at the position; a checkpoint of a subscription that was catching up stands before its record.
      const next = position?.getPreparePosition() === '0' ? found : found + 1;
      index = Math.max(0, Math.min(next, this.log.records.length) - this.wrong.repeatsOnResume);
    }
    const subscription = new Subscription(call, this.log, this.wrong, options, index);
    this.subscriptions.add(subscription);
    const over = () => {
      subscription.end();
      this.subscriptions.delete(subscription);
    };
    for (const sign of ['cancelled', 'close', 'error', 'finish']) call.on(sign, over);
    void subscription.run();
  }
}

/** One subscriber to everything, with a filter on streams' names or on types. */
class Subscription {
  private readonly waiting: Recorded[] = [];
  private readonly matches: (event: Recorded) => boolean;
  private readonly window: number;
  private stopListening: () => void = () => undefined;
  /** Live events that wait to be sent. */
  private unsent = 0;
  private considered = 0;
  private live = false;
  private ended = false;
  private sending = false;

  constructor(
    private readonly call: ReadCall,
    private readonly log: ServerLog,
    private readonly wrong: Misbehaviour,
    options: ReadReq.Options,
    private index: number,
  ) {
    const filter = options.getFilter();
    this.matches = filter === undefined ? () => true : filterOf(filter);
    const window = filter?.hasMax() === true ? filter.getMax() : DEFAULT_WINDOW;
    this.window = window * Math.max(1, filter?.getCheckpointintervalmultiplier() ?? 1);
  }

  async run(): Promise<void> {
    const confirmation = new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId('double');
    this.call.write(new streams.ReadResp().setConfirmation(confirmation));
    while (this.index < this.log.records.length && !this.ended) {
      const page = this.log.records.slice(this.index, this.index + DEFAULT_WINDOW);
      this.index += page.length;
      await sendAll(
        this.call,
        page.flatMap((record) => this.messagesFor(record)),
      );
    }
    if (this.ended) return;
    this.live = true;
    this.stopListening = this.log.onGrowth((records) => {
      this.grow(records);
    });
    this.call.write(new streams.ReadResp().setCaughtUp(new streams.ReadResp.CaughtUp()));
  }

  end(): void {
    this.ended = true;
    this.stopListening();
  }

  drop(): void {
    this.end();
    this.call.emit('error', wireError(CODES.aborted, 'Operation timed out; consumer too slow'));
  }

  private grow(records: readonly Recorded[]): void {
    if (this.wrong.deaf || this.ended) return;
    this.waiting.push(...records);
    this.unsent += records.filter(this.matches).length;
    if (this.unsent > LIVE_MESSAGES) {
      this.drop();
      return;
    }
    if (this.sending) return;
    this.sending = true;
    setImmediate(() => void this.sendWaiting());
  }

  private async sendWaiting(): Promise<void> {
    for (let next = this.waiting.shift(); next !== undefined && !this.ended; next = this.waiting.shift()) {
      await sendAll(this.call, this.messagesFor(next));
      if (this.matches(next)) this.unsent -= 1;
    }
    this.sending = false;
  }

  /** The event when it matches, and a checkpoint after each window of events that were looked at. */
  private messagesFor(record: Recorded): ReadResp[] {
    const messages = this.matches(record) ? [eventMessage(record)] : [];
    this.considered += 1;
    if (this.considered % this.window === 0) {
      const checkpoint = new streams.ReadResp.Checkpoint();
      // While it catches up the server says where it goes on, and leaves the prepare position at 0.
      const [commit, prepare] = this.live ? [record.offset, record.offset] : [this.log.endOf(record), 0n];
      checkpoint.setCommitPosition(String(commit)).setPreparePosition(String(prepare));
      messages.push(new streams.ReadResp().setCheckpoint(checkpoint));
    }
    return messages;
  }
}

function filterOf(filter: ReadReq.Options.FilterOptions): (event: Recorded) => boolean {
  const onType = filter.hasEventType();
  const expression = onType ? filter.getEventType() : filter.getStreamIdentifier();
  const regex = expression?.getRegex() ?? '';
  const prefixes = expression?.getPrefixList() ?? [];
  const pattern = regex === '' ? null : new RegExp(regex);
  return (event) => {
    const text = onType ? event.type : event.stream;
    return pattern === null ? prefixes.some((prefix) => text.startsWith(prefix)) : pattern.test(text);
  };
}

function eventMessage(record: Recorded): ReadResp {
  const recorded = new streams.ReadResp.ReadEvent.RecordedEvent();
  recorded.setId(new shared.UUID().setString(record.id));
  recorded.setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(record.stream)));
  recorded.setStreamRevision(String(record.revision));
  recorded.setCommitPosition(String(record.offset)).setPreparePosition(String(record.offset));
  recorded.setData(record.data).setCustomMetadata(record.metadata);
  recorded.getMetadataMap().set('type', record.type);
  recorded.getMetadataMap().set('created', String(record.createdTicks));
  recorded.getMetadataMap().set('content-type', record.isJson ? 'application/json' : 'application/octet-stream');
  const event = new streams.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(String(record.offset));
  return new streams.ReadResp().setEvent(event);
}

function* upwards(records: readonly Recorded[], from: number): Iterable<Recorded> {
  // What is written while it is read isn't part of it.
  for (let index = from, end = records.length; index < end; index += 1) {
    const record = records[index];
    if (record !== undefined) yield record;
  }
}

function* downwards(records: readonly Recorded[], from: number): Iterable<Recorded> {
  for (let index = from; index >= 0; index -= 1) {
    const record = records[index];
    if (record !== undefined) yield record;
  }
}

function* messages(records: Iterable<Recorded>, count: bigint): Iterable<ReadResp> {
  let left = count;
  for (const record of records) {
    if (left <= 0n) return;
    left -= 1n;
    yield eventMessage(record);
  }
}

/** Waits when the other side doesn't take what was sent. */
async function sendAll(call: ReadCall, responses: Iterable<ReadResp>): Promise<void> {
  for (const response of responses) {
    if (call.cancelled || call.destroyed) return;
    if (call.write(response)) continue;
    await new Promise<void>((resolve) => {
      const over = () => {
        for (const sign of SIGNS) call.off(sign, over);
        resolve();
      };
      for (const sign of SIGNS) call.on(sign, over);
    });
  }
}
