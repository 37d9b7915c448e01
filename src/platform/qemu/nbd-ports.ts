import { randomBytes } from 'node:crypto';

import type { Database } from '#platform/database/database';
import type { DaemonIdentity } from '#platform/processes/process-runner.port';

/** Every port of the range, or of an agent's slice of it, is taken. */
export class NoFreePort extends Error {
  override readonly name = 'NoFreePort';
}

/** What is written down about one export. */
export interface ExportRow {
  /** null when it is closed: the port is free again. */
  readonly port: number | null;
  /** Random, 128 bits: who doesn't know it can't open the export. */
  readonly exportName: string;
  readonly daemon: DaemonIdentity | null;
  /** Whether OMA has told its process to end. */
  readonly stopAsked: boolean;
  /** Set once the export has ended cleanly and its image is on disk. */
  readonly closed: { readonly exitCode: number | null } | null;
}

/** One of equal parts of the port range: each agent's exports lie in its own, so that its tunnel reaches no other's. */
export interface PortSlice {
  /** From 0. */
  readonly index: number;
  readonly of: number;
}

const WHOLE_RANGE: PortSlice = { index: 0, of: 1 };

interface Row {
  port: number | null;
  export_name: string;
  pid: number | null;
  start_ticks: string | null;
  stop_asked_at: Date | null;
  closed_at: Date | null;
  exit_code: number | null;
}

/** The table of exports: it gives each a port of its own and keeps what must survive a crash. */
export class NbdPorts {
  constructor(
    private readonly database: Database,
    private readonly range: { readonly first: number; readonly last: number },
    /** Whose exports these are; ports are given once among all instances, which may share a machine. */
    private readonly instanceId: string | null = null,
  ) {}

  /** So many exports can be open at once. */
  get count(): number {
    return this.range.last - this.range.first + 1;
  }

  async find(exportId: string): Promise<ExportRow | null> {
    const [row] = await this.database.query<Row>(`select * from nbd_export where export_id = $1`, [exportId]);
    return row === undefined ? null : fromRow(row);
  }

  /**
   * Gives the export the lowest port of the slice that no other export has and that isn't in `avoid`; its name stays the
   * same. Throws NoFreePort.
   */
  async claim(
    exportId: string,
    avoid: ReadonlySet<number>,
    slice: PortSlice = WHOLE_RANGE,
  ): Promise<{ port: number; exportName: string }> {
    const { first, last } = sliceOf(this.range, slice);
    return this.database.transaction(async (sql) => {
      await sql.query(`select pg_advisory_xact_lock(hashtext('oma nbd ports'))`);
      await sql.query(`delete from nbd_export where closed_at < now() - interval '1 day'`);
      const { rows } = await sql.query<{ port: number }>(
        `select port from nbd_export where port is not null and export_id <> $1`,
        [exportId],
      );
      const taken = new Set([...rows.map((row) => row.port), ...avoid]);
      let port = first;
      while (taken.has(port)) port += 1;
      if (port > last) throw new NoFreePort('every port for exports is in use');
      const claimed = await sql.query<{ export_name: string }>(
        `insert into nbd_export (export_id, port, export_name, instance_id) values ($1, $2, $3, $4)
         on conflict (export_id) do update
           set port = excluded.port, instance_id = excluded.instance_id, pid = null, start_ticks = null, stop_asked_at = null, closed_at = null, exit_code = null
         returning export_name`,
        [exportId, port, randomBytes(16).toString('hex'), this.instanceId],
      );
      return { port, exportName: claimed.rows[0]?.export_name ?? '' };
    });
  }

  async started(exportId: string, daemon: DaemonIdentity): Promise<void> {
    await this.database.query(`update nbd_export set pid = $2, start_ticks = $3 where export_id = $1`, [
      exportId,
      daemon.pid,
      daemon.startTicks,
    ]);
  }

  async stopAsked(exportId: string): Promise<void> {
    await this.database.query(
      `update nbd_export set stop_asked_at = coalesce(stop_asked_at, now()) where export_id = $1`,
      [exportId],
    );
  }

  /** The clean end: the port is free, and the row remembers for a day how the process ended. */
  async closed(exportId: string, exitCode: number | null): Promise<void> {
    await this.database.query(
      `update nbd_export set closed_at = now(), port = null, exit_code = $2 where export_id = $1`,
      [exportId, exitCode],
    );
  }

  async release(exportId: string): Promise<void> {
    await this.database.query(`delete from nbd_export where export_id = $1`, [exportId]);
  }

  /** Exports of this instance that hold a port. */
  async holders(): Promise<readonly string[]> {
    const rows = await this.database.query<{ export_id: string }>(
      `select export_id from nbd_export where port is not null and (instance_id is null or instance_id = $1)
        order by export_id`,
      [this.instanceId],
    );
    return rows.map((row) => row.export_id);
  }
}

/**
 * The ports of a slice; slices of the same `of` never overlap, cover the range and differ in size by one port at most. With
 * more slices than ports some are empty (last < first).
 */
export function sliceOf(
  range: { readonly first: number; readonly last: number },
  { index, of }: PortSlice,
): { readonly first: number; readonly last: number } {
  if (!Number.isInteger(of) || !Number.isInteger(index) || index < 0 || index >= of) {
    throw new RangeError('a slice has an index from 0 to one less than the number of slices');
  }
  const ports = range.last - range.first + 1;
  const border = (slices: number) => range.first + Math.floor((ports * slices) / of);
  return { first: border(index), last: border(index + 1) - 1 };
}

function fromRow(row: Row): ExportRow {
  return {
    port: row.port,
    exportName: row.export_name,
    daemon: row.pid === null || row.start_ticks === null ? null : { pid: row.pid, startTicks: Number(row.start_ticks) },
    stopAsked: row.stop_asked_at !== null,
    closed: row.closed_at === null ? null : { exitCode: row.exit_code },
  };
}
