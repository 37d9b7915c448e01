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
  private due = false;

  constructor(
    /** The connection that appends go through: what comes from there is not heard by the process itself, which knows. */
    private readonly connection: Pick<OwnConnection, 'query' | 'processId'>,
    /** Hears that it is time to `tell`, at a moment when nothing else is asked over that connection. */
    private readonly onDue: () => void,
  ) {}

  /** Whether an append that is sent now should tell. */
  isTime(): boolean {
    return performance.now() - this.toldAt >= TELL_EVERY_MS;
  }

  /** Whether others should be told now of what was stored before. */
  get isDue(): boolean {
    return this.due;
  }

  /** To be called when something was stored, with what `isTime` said before. */
  stored(told: boolean): void {
    if (told) this.told();
    else
      this.owed ??= setTimeout(() => {
        this.due = true;
        this.onDue();
      }, TELL_EVERY_MS);
  }

  /** Tells what is still to be told. */
  async settle(): Promise<void> {
    if (this.owed !== undefined) await this.tell();
  }

  async tell(): Promise<void> {
    this.told();
    // Appends wait meanwhile: for a hint none is made anew.
    if (this.connection.processId === null) return;
    const query = { name: 'es tell', text: `select pg_notify('es', '')` };
    await this.connection.query(query, TELL_WITHIN_MS).catch(() => undefined);
  }

  private told(): void {
    clearTimeout(this.owed);
    this.owed = undefined;
    this.due = false;
    this.toldAt = performance.now();
  }
}
