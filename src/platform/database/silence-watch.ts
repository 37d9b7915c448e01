import type { Logger } from '#platform/logging/logger.port';

import { Connections } from './connections.js';
import type { Database } from './database.js';
import { OwnConnection } from './own-connection.js';

export interface SilenceTimes {
  readonly lookMs: number;
  /** After so many looks in a row without a word the database is taken for away. */
  readonly looks: number;
}

/** As long as one waits for a connection, or an append for its answer. */
const SILENCE_TIMES: SilenceTimes = { lookMs: 1000, looks: 15 };
/** Whoever asks gets another connection after so many looks: a single one may be lost. */
const LOOKS_FOR_AN_ANSWER = 5;

/**
 * Notices a database that takes everything and says nothing, and cuts all other connections to it, again and again until it says
 * something: whoever waits is then where any lost connection leaves it. Work that takes long is not touched, since a database
 * that is at work answers the watch; one word to anybody is enough.
 *
 * Looks are counted, and not the time: a process that was stopped itself must not take the database for silent.
 */
export class SilenceWatch {
  /** Never cut while it watches: it has all the time that a connection may take, also over a network that is slow. */
  private readonly own = new Connections();
  private readonly connection: OwnConnection;
  private timer: NodeJS.Timeout | undefined;
  private isAsking = false;
  private silentLooks = 0;

  constructor(
    private readonly database: Database,
    private readonly logger: Logger,
    private readonly times: SilenceTimes = SILENCE_TIMES,
  ) {
    const connecting = { ...database.connecting, stream: this.own.stream };
    this.connection = new OwnConnection({ connecting }, 'oma silence watch', `set default_transaction_read_only = on`);
  }

  start(): void {
    this.timer = setInterval(() => {
      this.look();
    }, this.times.lookMs);
    this.timer.unref();
  }

  /** What is still connected then is cut: one who says nothing doesn't hear a leave either. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    const closed = this.connection.close();
    this.database.connections.cut();
    this.own.cut();
    await closed;
  }

  private look(): void {
    const heard = [this.database.connections.hear(), this.own.hear()];
    if (heard.includes(true)) this.heard();
    else this.silentLooks += 1;
    if (this.silentLooks >= this.times.looks) this.cut();
    if (!this.isAsking) void this.ask();
  }

  /** For the sake of the answer's bytes alone; a refusal has some, too. */
  private async ask(): Promise<void> {
    this.isAsking = true;
    const withinMs = this.times.lookMs * LOOKS_FOR_AN_ANSWER;
    await this.connection.query({ text: 'select 1' }, withinMs).catch(() => undefined);
    this.isAsking = false;
  }

  private heard(): void {
    if (this.silentLooks >= this.times.looks) this.logger.warn({}, 'the database answers again');
    this.silentLooks = 0;
  }

  private cut(): void {
    const { looks, lookMs } = this.times;
    const connections = this.database.connections.cut();
    if (this.silentLooks > looks) return;
    this.logger.warn(
      { connections, seconds: (looks * lookMs) / 1000 },
      'the database says nothing: its connections are cut until it answers',
    );
  }
}
