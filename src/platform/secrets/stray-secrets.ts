import { Ticker } from '#platform/clock/ticker';
import type { Database } from '#platform/database/database';
import type { EventStore } from '#platform/event-store/event-store.port';
import type { Logger } from '#platform/logging/logger.port';

const LOOK_EVERY_MS = 3_600_000;
/** Whoever stored a secret has long said in the log what it is for, or never will. */
const STRAY_AFTER = `interval '24 hours'`;
/** One that was of use for longer is not to be missed only because somebody deleted its stream in EventStoreDB, and restores it later. */
const NEVER_AFTER = `interval '7 days'`;

/**
 * Forgets secrets that nothing refers to: OMA was killed after it had stored them, and before the log said what for. One that is
 * still of use must never go. So it has to be old, no row may know it, and nothing at all in the log may hold its reference,
 * whatever kind of event that is; and a log that is not whole is no proof.
 */
export class StraySecrets {
  private readonly ticker: Ticker;
  /** Found in the log, although no row knows them. */
  private readonly known = new Set<string>();
  private stopping = false;

  constructor(
    private readonly database: Database,
    private readonly store: EventStore,
    private readonly logger: Logger,
  ) {
    this.ticker = new Ticker(
      LOOK_EVERY_MS,
      async () => {
        await this.forget();
      },
      (error) => {
        logger.warn({ error }, 'secrets that nothing refers to could not be looked for; it is tried again in an hour');
      },
    );
  }

  start(): void {
    this.stopping = false;
    this.ticker.start();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.ticker.stop();
  }

  /** Answers how many it forgot. Several instances may be at it at once. */
  async forget(): Promise<number> {
    const strays = await this.strays();
    if (strays.length === 0) return 0;
    // A row may have come while the log was read.
    const gone = await this.database.query(
      `delete from secret s where ref = any($1) and not exists (select from credential c where c.secret_ref = s.ref) returning ref`,
      [strays],
    );
    if (gone.length > 0) this.logger.info({ secrets: gone.length }, 'secrets that nothing refers to were forgotten');
    return gone.length;
  }

  /** No transaction: the whole log takes its time, and tables that a rebuild replaces would be held as long. */
  private async strays(): Promise<readonly string[]> {
    const rows = await this.database.query<{ ref: string }>(
      `select ref from secret s
        where created_at < now() - ${STRAY_AFTER} and created_at > now() - ${NEVER_AFTER} and not ref = any($1)
          and not exists (select from credential c where c.secret_ref = s.ref)`,
      [[...this.known]],
    );
    const suspects = new Set(rows.map(({ ref }) => ref));
    if (suspects.size === 0 || !(await this.isWhole())) return [];
    for await (const { data, metadata } of this.store.readAll()) {
      if (this.stopping) return [];
      const text = JSON.stringify([data, metadata]);
      for (const ref of suspects) {
        if (!text.includes(ref)) continue;
        this.known.add(ref);
        suspects.delete(ref);
      }
    }
    return [...suspects];
  }

  /** Whether the log is as long as the rows have ever seen it. */
  private async isWhole(): Promise<boolean> {
    const sql = `select max(position) as position from projection`;
    const [row] = await this.database.query<{ position: string | null }>(sql);
    return this.store.reaches(row?.position ?? '');
  }
}
