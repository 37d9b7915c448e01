import type { OwnConnection } from '#platform/database/own-connection';

/** So often, at most, the connections that listen are told; each telling wakes a process of every instance. */
const TELL_EVERY_MS = 5;
const TELL_WITHIN_MS = 5000;

/**
 * Tells the readers of all instances that the log has grown: with the append itself after a pause, otherwise once for all that
 * came shortly after. A hint that is lost costs a reader of another instance the time until its next look, and nothing else.
 */
export class Announcements {
  private toldAt = -Infinity;
  private owed: NodeJS.Timeout | undefined;
  private telling: Promise<unknown> = Promise.resolve();

  /** The connection that appends go through: what comes from there is not heard by the process itself, which knows. */
  constructor(private readonly connection: Pick<OwnConnection, 'query'>) {}

  /** Whether an append that is sent now should tell. */
  isTime(): boolean {
    return performance.now() - this.toldAt >= TELL_EVERY_MS;
  }

  /** To be called when something was stored, with what `isTime` said before. */
  stored(told: boolean): void {
    if (told) this.told();
    else
      this.owed ??= setTimeout(() => {
        this.tell();
      }, TELL_EVERY_MS);
  }

  /** Tells now what is still to be told. */
  async settle(): Promise<void> {
    if (this.owed !== undefined) this.tell();
    await this.telling;
  }

  private tell(): void {
    this.told();
    const query = { name: 'es tell', text: `select pg_notify('es', '')` };
    this.telling = this.connection.query(query, TELL_WITHIN_MS).catch(() => undefined);
  }

  private told(): void {
    clearTimeout(this.owed);
    this.owed = undefined;
    this.toldAt = performance.now();
  }
}
