import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';

import { CODES, wireError } from './append-calls.js';
import type { Misbehaviour, ReadMisbehaviour } from './misbehaviour.js';
import { messages, type ReadCall, sendAll } from './read-messages.js';
import type { Recorded, ServerLog } from './server-log.js';
import { Subscription } from './subscription.js';
import { streams } from './wire.js';

const FORWARDS = 0;
/** So many events come before a read is broken off. */
const BROKEN_OFF_AFTER = 3n;

type Mishap = ReadMisbehaviour | null;

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
      if (options.hasSubscription()) {
        this.subscribe(call, options);
        return;
      }
      const how = this.wrong.nextRead();
      if (how === 'error') call.emit('error', wireError(CODES.unknown, 'Unexpected ReadAllResult: Error'));
      else if (how === 'unavailable') call.emit('error', wireError(CODES.unavailable, 'Server Is Not Ready'));
      else if (options.hasStream()) this.readStream(call, options, how);
      else this.readAll(call, options, how);
    });
  }

  /** The server gives all its subscribers up as too slow. */
  dropSubscribers(): void {
    for (const subscription of [...this.subscriptions]) subscription.drop();
  }

  get subscribers(): number {
    return this.subscriptions.size;
  }

  private readStream(call: ReadCall, options: ReadReq.Options, how: Mishap): void {
    const from = options.getStream();
    const name = Buffer.from(from?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString();
    if (this.log.isTombstoned(name)) {
      const what = { exception: 'stream-deleted', 'stream-name': name };
      call.emit('error', wireError(CODES.precondition, `Event stream '${name}' is deleted.`, what));
      return;
    }
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
    this.send(call, wanted, options, how);
  }

  private readAll(call: ReadCall, options: ReadReq.Options, how: Mishap): void {
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
    this.send(call, forward ? upwards(records, index) : downwards(records, index - 1), options, how);
  }

  private send(call: ReadCall, events: Iterable<Recorded>, options: ReadReq.Options, how: Mishap): void {
    const wanted = BigInt(options.getCount());
    const count = how === 'broken-off' && wanted > BROKEN_OFF_AFTER ? BROKEN_OFF_AFTER : wanted;
    if (count === 0n) {
      call.emit('error', wireError(CODES.invalid, 'maxCount must be positive'));
      return;
    }
    void sendAll(call, messages(events, count)).then(() => {
      if (how === 'broken-off') call.emit('error', wireError(CODES.internal, 'Received RST_STREAM with code 2'));
      else call.end();
    });
  }

  private subscribe(call: ReadCall, options: ReadReq.Options): void {
    const all = options.getAll();
    let index = all?.hasEnd() === true ? this.log.records.length : 0;
    let beyond = -1n;
    if (all?.hasPosition() === true) {
      const position = all.getPosition();
      const commit = BigInt(position?.getCommitPosition() ?? '0');
      const found = this.log.indexOf(commit);
      if (found === null) {
        call.emit('error', wireError(CODES.unknown, 'Unexpected ReadAllResult: Error'));
        return;
      }
      // Behind the record at the position; a checkpoint of a subscription that was catching up stands before its record.
      const isBefore = position?.getPreparePosition() === '0';
      beyond = isBefore ? commit - 1n : commit;
      const next = isBefore ? found : found + 1;
      index = Math.max(0, Math.min(next, this.log.records.length) - this.wrong.repeatsOnResume);
    }
    const subscription = new Subscription(call, this.log, this.wrong, options, { index, beyond });
    this.subscriptions.add(subscription);
    const over = () => {
      subscription.end();
      this.subscriptions.delete(subscription);
    };
    for (const sign of ['cancelled', 'close', 'error', 'finish']) call.on(sign, over);
    void subscription.run();
  }
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
