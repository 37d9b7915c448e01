import type { Position } from '#domain/kernel/event';
import { AtMostEvery } from '#platform/clock/at-most-every';
import type { Database } from '#platform/database/database';
import type { EventStore } from '#platform/event-store/event-store.port';
import type { Logger } from '#platform/logging/logger.port';

import type { SagaRuntime } from './runtime.js';

const RETRY_MS = 500;
/** What lies between two writings is offered again after a crash, and costs a read of a stream each. */
const WRITE_EVERY_MS = 100;
/** A crash of the database may take it back: what is offered again is recognised. */
const MOVE = `with unhurried as (select set_config('synchronous_commit', 'off', true))
  update saga_checkpoint set position = $1 from unhurried where position < $1`;

/**
 * Brings domain events to the sagas, each at least once: the checkpoint moves some time after the sagas took a batch, and they
 * recognise what they had before.
 */
export class SagaFeed {
  private readonly controller = new AbortController();
  private loop: Promise<void> = Promise.resolve();
  private position: Position = '';
  private written: Position = '';
  private heldUp = false;
  private readonly writing = new AtMostEvery(WRITE_EVERY_MS, () => this.write());

  constructor(
    private readonly database: Database,
    private readonly store: EventStore,
    private readonly runtime: SagaRuntime,
    private readonly logger: Logger,
  ) {}

  /** True from an event that the sagas could not take until they have taken it. */
  get isHeldUp(): boolean {
    return this.heldUp;
  }

  start(): void {
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.controller.abort();
    await this.loop;
    await this.writing.stop();
    if (this.position !== this.written) await this.write();
  }

  private async run(): Promise<void> {
    const { signal } = this.controller;
    while (!signal.aborted) {
      try {
        await this.follow(signal);
      } catch (error) {
        this.heldUp = true;
        this.logger.error({ error }, 'the sagas could not take an event; it is offered again');
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const [row] = await this.database.query<{ position: string }>('select position from saga_checkpoint');
    this.position = row?.position ?? '';
    this.written = this.position;
    const types = this.runtime.listensTo;
    for await (const batch of this.store.subscribe({ after: this.position, types, signal })) {
      for (const event of batch.events) await this.runtime.offer(event);
      this.position = batch.upTo;
      this.writing.ask();
      this.heldUp = false;
    }
  }

  /** Tried again with the next event: being late costs nothing but offers. */
  private async write(): Promise<void> {
    const { position } = this;
    try {
      await this.database.pool.query({ name: 'saga checkpoint', text: MOVE, values: [position] });
      this.written = position;
    } catch (error) {
      this.logger.warn(
        { error },
        'how far the sagas are could not be written down; until it is, a start offers them events again',
      );
    }
  }
}
