import type { Database } from '#platform/database/database';

/** While something is being read, this is said again at least as often. */
export const TOUCH_SECONDS = 15;
/** Open reads that nobody spoke of for so long belong to an OMA that was killed. */
const FORGOTTEN_SECONDS = 4 * TOUCH_SECONDS;

/** When somebody last read from a mount, and how many downloads are under way. */
export class RestoreAccess {
  constructor(private readonly database: Database) {}

  /** Begins to count for a mount; harmless when repeated. */
  async begin(mountId: string): Promise<void> {
    await this.database.query(`insert into restore_access (mount_id) values ($1) on conflict do nothing`, [mountId]);
  }

  async touch(mountId: string): Promise<void> {
    await this.database.query(`update restore_access set last_accessed_at = now() where mount_id = $1`, [mountId]);
  }

  async readBegan(mountId: string): Promise<void> {
    await this.database.query(
      `update restore_access set
         open_reads = case when last_accessed_at < now() - $2 * interval '1 second' then 1 else open_reads + 1 end,
         last_accessed_at = now()
       where mount_id = $1`,
      [mountId, FORGOTTEN_SECONDS],
    );
  }

  async readEnded(mountId: string): Promise<void> {
    await this.database.query(
      `update restore_access set open_reads = greatest(open_reads - 1, 0), last_accessed_at = now() where mount_id = $1`,
      [mountId],
    );
  }

  /** Whole seconds since the last read; 0 while a download is running and for a mount that nobody counts yet. */
  async idleSeconds(mountId: string): Promise<number> {
    const [row] = await this.database.query<{ open_reads: number; seconds: number }>(
      `select open_reads, extract(epoch from now() - last_accessed_at)::float8 as seconds
         from restore_access where mount_id = $1`,
      [mountId],
    );
    if (row === undefined) {
      await this.begin(mountId);
      return 0;
    }
    if (row.open_reads > 0 && row.seconds < FORGOTTEN_SECONDS) return 0;
    return Math.max(0, Math.floor(row.seconds));
  }

  async forget(mountId: string): Promise<void> {
    await this.database.query(`delete from restore_access where mount_id = $1`, [mountId]);
  }
}
