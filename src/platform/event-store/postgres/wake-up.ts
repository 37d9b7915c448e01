import pg from 'pg';

import type { Position } from '#domain/kernel/event';
import { type Doze, Sleepers } from '#platform/clock/sleepers';
import type { Database } from '#platform/database/database';
import type { Logger } from '#platform/logging/logger.port';

const POLL_MS = 1000;
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 10_000;

/**
 * Tells readers that the log may have grown: one LISTEN connection for all of them, and a poll behind it. A notification is
 * a hint and never a fact; without any, readers are a second late and lose nothing. What this process appended is not heard from the
 * server: its readers are woken without it.
 */
export class WakeUp {
  private readonly sleepers = new Sleepers();
  private readonly poll: NodeJS.Timeout;
  private client: pg.Client | null = null;
  private retry: NodeJS.Timeout | undefined;
  private retryMs = FIRST_RETRY_MS;
  private closed = false;
  private calls = 0;
  private grown: Position = '';

  constructor(
    private readonly database: Pick<Database, 'connecting'>,
    private readonly logger: Logger,
    /** The server's process that this process appends through. */
    private readonly ownProcessId: () => number | null,
  ) {
    this.poll = setInterval(() => {
      this.wakeAll();
    }, POLL_MS);
    this.poll.unref();
  }

  /** Opens the connection; when that fails, the poll does alone until a later try succeeds. */
  async listen(): Promise<void> {
    const client = new pg.Client({ ...this.database.connecting, application_name: 'oma wake-up' });
    client.on('error', () => {
      this.lost(client);
    });
    client.on('end', () => {
      this.lost(client);
    });
    client.on('notification', ({ processId }) => {
      if (processId !== this.ownProcessId()) this.wakeAll();
    });
    this.client = client;
    try {
      await client.connect();
      await client.query('listen es');
      this.retryMs = FIRST_RETRY_MS;
      this.wakeAll();
    } catch {
      this.lost(client);
    }
  }

  /** Over when the log may have grown, when `signal` aborts, or when it is ended. */
  doze(signal: AbortSignal): Doze {
    return this.sleepers.doze(signal);
  }

  /** How often somebody else said that the log may have grown, or nobody said anything for a while. */
  get heard(): number {
    return this.calls;
  }

  /** How far the log is at least, by what this process appended. */
  get grownTo(): Position {
    return this.grown;
  }

  /** Tells of an append of this process. */
  grewTo(position: Position): void {
    if (position > this.grown) this.grown = position;
    this.sleepers.wakeAll();
  }

  private wakeAll(): void {
    this.calls += 1;
    this.sleepers.wakeAll();
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.poll);
    clearTimeout(this.retry);
    const client = this.client;
    this.client = null;
    this.wakeAll();
    await client?.end().catch(() => undefined);
  }

  private lost(client: pg.Client): void {
    if (this.closed || this.client !== client) return;
    this.client = null;
    this.logger.warn({ retryMs: this.retryMs }, 'the wake-up connection is lost; readers poll until it is back');
    client.end().catch(() => undefined);
    this.retry = setTimeout(() => {
      void this.listen();
    }, this.retryMs);
    this.retryMs = Math.min(MAX_RETRY_MS, this.retryMs * 2);
  }
}
