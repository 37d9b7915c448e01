import { EventStoreAway } from '../event-store.port.js';
import { isTransient } from './failures.js';

/** There is another log, or an empty one, in the place of the one that this process began with. */
export class LogReplaced extends EventStoreAway {
  constructor() {
    super(new Error('the event store holds another log than before'));
    this.name = 'LogReplaced';
  }
}

/**
 * Sees to it that this process goes on with the log that it began with. A server that was away may come back without its data,
 * or be another one, and positions of one log are places in that log alone: whatever was appended or followed there would be
 * passed over in silence. So after every call that failed, and on every new connection, the log's id is read before anything is
 * acknowledged, and before anything that was read is given out: a call that began on one connection may be answered on another.
 */
export class SameLog {
  /** Resolves when the log was replaced. */
  readonly replaced: Promise<void>;
  private id: string | null = null;
  private isDoubtful = false;
  private isReplaced = false;
  private checking: Promise<void> | null = null;
  private sayReplaced: () => void = () => undefined;

  /** `read` makes one attempt. */
  constructor(private readonly read: () => Promise<string | null>) {
    this.replaced = new Promise((resolve) => (this.sayReplaced = resolve));
  }

  /** To be told what the log is called as soon as that is known; the first name stays. */
  isCalled(id: string | null): void {
    this.id ??= id;
  }

  /** Who answers next may be somebody else. */
  doubt(): void {
    this.isDoubtful = true;
  }

  get wasReplaced(): boolean {
    return this.isReplaced;
  }

  /** Costs nothing without a doubt. Throws LogReplaced, for good, and what the one attempt to read throws. */
  async assure(): Promise<void> {
    if (this.isReplaced) throw new LogReplaced();
    // Whoever comes while it is looked up waits as well, and once more when there was a new doubt since.
    while (this.id !== null && (this.isDoubtful || this.checking !== null)) {
      await (this.checking ??= this.check().finally(() => {
        this.checking = null;
      }));
    }
  }

  /**
   * What is read, for as long as it comes from this log. Where it ends, that there is nothing, and what the server refuses is
   * something read, too.
   */
  async *vouchFor<Item>(read: AsyncIterable<Item>): AsyncGenerator<Item> {
    await this.assure();
    try {
      for await (const item of read) {
        await this.assure();
        yield item;
      }
    } catch (error) {
      if (!isTransient(error)) await this.assure();
      throw error;
    }
    await this.assure();
  }

  private async check(): Promise<void> {
    // What fails from here on is a doubt of its own.
    this.isDoubtful = false;
    try {
      if ((await this.read()) === this.id) return;
    } catch (error) {
      this.isDoubtful = true;
      throw error;
    }
    this.isReplaced = true;
    this.sayReplaced();
    throw new LogReplaced();
  }
}
