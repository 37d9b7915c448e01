import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';

import { CODES, wireError } from './append-calls.js';
import type { Misbehaviour } from './misbehaviour.js';
import { eventMessage, type ReadCall, sendAll } from './read-messages.js';
import type { Recorded, ServerLog } from './server-log.js';
import { streams } from './wire.js';

/** Live, the server keeps so many messages for a subscriber that doesn't take them fast enough, and then drops it. */
const LIVE_MESSAGES = 64;
const DEFAULT_WINDOW = 32;

/** One subscriber to everything, with a filter on streams' names or on types. */
export class Subscription {
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
  private index: number;
  /** Nothing at or before it comes, also where the log isn't that far yet. */
  private readonly beyond: bigint;

  constructor(
    private readonly call: ReadCall,
    private readonly log: ServerLog,
    private readonly wrong: Misbehaviour,
    options: ReadReq.Options,
    from: { readonly index: number; readonly beyond: bigint },
  ) {
    this.index = from.index;
    // Of what the log has already the index tells.
    this.beyond = from.index < log.records.length ? -1n : from.beyond;
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
    if (this.wrong.dropsAtSwitch > 0) {
      this.wrong.dropsAtSwitch -= 1;
      this.drop();
      return;
    }
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

  private grow(grown: readonly Recorded[]): void {
    if (this.wrong.deaf || this.ended) return;
    const records = grown.filter(({ offset }) => offset > this.beyond);
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
