import type { Position } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';
import type { EventStore } from '#platform/event-store/event-store.port';
import type { Logger } from '#platform/logging/logger.port';

import { ProjectionLoop } from './projection-loop.js';
import { ProjectionProgress, type ProjectionStatus } from './projection-progress.port.js';
import { type AnyProjection, ensureTable } from './tables.js';

/** Another instance may be the one that moves a projection; then only its table tells. */
const FOREIGN_POLL_MS = 50;
const CATCH_UP_MS = 24 * 3600 * 1000;

/** Runs all projections: makes their tables, follows the log, tells how far they are. */
export class ProjectionRunner extends ProjectionProgress {
  private readonly loops: readonly ProjectionLoop[];
  private readonly positions = new Map<string, Position>();
  private readonly listeners = new Set<(name: string) => void>();
  private stopped = false;

  constructor(
    private readonly database: Database,
    private readonly store: EventStore,
    private readonly projections: readonly AnyProjection[],
    private readonly logger: Logger,
  ) {
    super();
    this.loops = projections.map(
      (projection) =>
        new ProjectionLoop(database, store, projection, logger, (position) => {
          this.positions.set(projection.name, position);
          for (const listener of [...this.listeners]) listener(projection.name);
        }),
    );
  }

  async start(): Promise<void> {
    for (const projection of this.projections) await ensureTable(this.database, projection);
    for (const loop of this.loops) loop.start();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  onAdvance(listener: (name: string) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  /** Resolves when the named projections, or all, have passed what is the head of the log now. */
  async caughtUp(names: readonly string[] = this.projections.map(({ name }) => name)): Promise<void> {
    const running = (await this.status()).filter(({ status }) => status === 'running').map(({ name }) => name);
    await this.waitFor(
      names.filter((name) => running.includes(name)),
      await this.store.head(),
      CATCH_UP_MS,
    );
  }

  async waitFor(names: readonly string[], position: Position, timeoutMs: number): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    while (!names.every((name) => (this.positions.get(name) ?? '') >= position)) {
      const leftMs = deadline - Date.now();
      if (leftMs <= 0 || this.stopped) return false;
      await this.change(Math.min(FOREIGN_POLL_MS, leftMs));
      await this.look();
    }
    return true;
  }

  async waitForLeader(names: readonly string[], leader: string, timeoutMs: number): Promise<boolean> {
    await this.look();
    return this.waitFor(names, this.positions.get(leader) ?? '', timeoutMs);
  }

  async waitForHead(names: readonly string[], timeoutMs: number): Promise<boolean> {
    return this.waitFor(names, await this.store.head(), timeoutMs);
  }

  async status(): Promise<readonly ProjectionStatus[]> {
    const head = await this.store.head();
    const rows = await this.database.query<{
      name: string;
      version: number;
      position: string;
      status: 'running' | 'stopped';
      error: string | null;
      stopped_event_id: string | null;
      last_recorded_at: Date | null;
    }>(
      `select name, version, position, status, error, stopped_event_id, last_recorded_at from projection order by name`,
    );
    const current = new Set(this.projections.map(({ name, version }) => `${name}/${version}`));
    return rows
      .filter((row) => current.has(`${row.name}/${row.version}`))
      .map((row) => ({
        name: row.name,
        version: row.version,
        position: row.position,
        status: row.status,
        error: row.error,
        stoppedEventId: row.stopped_event_id,
        lagSeconds: row.position >= head ? 0 : lagSeconds(row.last_recorded_at),
      }));
  }

  async retry(name: string): Promise<boolean> {
    const rows = await this.database.query(
      `update projection set status = 'running', error = null, stopped_event_id = null
        where name = $1 and status = 'stopped' returning name`,
      [name],
    );
    if (rows.length === 0) return false;
    const loop = this.loops.find((candidate) => candidate.projection.name === name);
    await loop?.stop();
    loop?.start();
    this.logger.info({ projection: name }, 'a stopped projection tries again');
    return true;
  }

  /** What the tables say, for projections that another instance moves. */
  private async look(): Promise<void> {
    // Rows of earlier versions stay in the registry; how far those were says nothing about the tables of today.
    for (const row of await this.database.query<{ name: string; position: string }>(
      `select name, position from projection where (name, version) in (select * from unnest($1::text[], $2::integer[]))`,
      [this.projections.map(({ name }) => name), this.projections.map(({ version }) => version)],
    )) {
      const known = this.positions.get(row.name) ?? '';
      if (row.position > known) this.positions.set(row.name, row.position);
    }
  }

  private change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.listeners.add(done);
    });
  }
}

function lagSeconds(lastRecordedAt: Date | null): number {
  return lastRecordedAt === null ? 0 : Math.max(0, (Date.now() - lastRecordedAt.getTime()) / 1000);
}
