import type { Position } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';
import { isTransient } from '#platform/database/transient';
import type { EventStore } from '#platform/event-store/event-store.port';
import type { Logger } from '#platform/logging/logger.port';

import { Passes } from './passes.js';
import { ProjectionLoop } from './projection-loop.js';
import { ProjectionProgress, type ProjectionStatus } from './projection-progress.port.js';
import { projectionStatuses } from './statuses.js';
import { register } from './registration.js';
import { registered } from './registry.js';
import { retryStopped } from './requests.js';
import type { AnyProjection } from './tables.js';
import { Upkeep, type Workshop } from './upkeep.js';

/** Another instance may be the one that moves a projection; then only its table tells. */
const FOREIGN_POLL_MS = 50;

/** Runs all projections: makes their tables, follows the log, builds new rows beside old ones, tells how far they are. */
export class ProjectionRunner extends ProjectionProgress {
  private readonly loops: readonly ProjectionLoop[];
  private readonly positions = new Map<string, Position>();
  private readonly listeners = new Set<(name: string, events: number) => void>();
  private readonly upkeep: Upkeep;
  private readonly passes: Passes;
  private looking: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly database: Database,
    private readonly store: EventStore,
    private readonly projections: readonly AnyProjection[],
    private readonly logger: Logger,
    workshop?: Workshop,
  ) {
    super();
    this.upkeep = new Upkeep({ database, store, logger }, projections, workshop);
    this.passes = new Passes(database);
    this.loops = projections.map(
      (projection) =>
        new ProjectionLoop(database, store, projection, this.passes, logger, (position, events) => {
          this.positions.set(projection.name, position);
          for (const listener of [...this.listeners]) listener(projection.name, events);
        }),
    );
  }

  /** Throws NewerProjection when rows are live that this program's code can't keep. */
  async start(): Promise<void> {
    for (const projection of this.projections) await register(this.database, projection);
    for (const loop of this.loops) loop.start();
    this.upkeep.start();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all([...this.loops.map((loop) => loop.stop()), this.upkeep.stop()]);
    await this.passes.stop();
  }

  onAdvance(listener: (name: string, events: number) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  /**
   * Resolves when the rows of the named projections, or of all, are live in the version of this code and have passed what is
   * the head of the log now. Those whose live rows stopped are not waited for; a build that stopped is: its code can't do with
   * the rows of an older version, and `oma projections` puts it right meanwhile.
   */
  async caughtUp(names: readonly string[] = this.projections.map(({ name }) => name)): Promise<void> {
    const head = await this.store.head();
    const awaited = this.projections.filter(({ name }) => names.includes(name));
    while (!this.stopped) {
      const rows = await registered(this.database.pool, 'name = any($1)', [names]);
      const isThere = ({ name, version }: AnyProjection) =>
        rows.some(
          (row) =>
            row.name === name &&
            row.live &&
            row.version === version &&
            (row.status === 'stopped' || row.position >= head),
        );
      if (awaited.every(isThere)) return;
      await this.change(FOREIGN_POLL_MS);
    }
  }

  async waitFor(names: readonly string[], position: Position, timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (!names.every((name) => (this.positions.get(name) ?? '') >= position)) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0 || this.stopped) return false;
      await this.change(Math.min(FOREIGN_POLL_MS, leftMs));
      // While the database is away nobody can tell how far the rows are; that is no reason to wait longer than was said.
      await Promise.race([this.lookTogether(), this.change(leftMs)]);
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
    return projectionStatuses(this.database, this.store, this.projections);
  }

  async retry(name: string): Promise<boolean> {
    const loop = this.loops.find(({ projection }) => projection.name === name);
    if (loop === undefined || !(await retryStopped(this.database, loop.projection))) return false;
    await loop.stop();
    loop.start();
    this.lookAgain();
    this.logger.info({ projection: name }, 'a stopped projection tries again');
    return true;
  }

  /** Tells that there may be something to build or to compare. */
  lookAgain(): void {
    this.upkeep.wake();
  }

  /** One look for all who wait. */
  private lookTogether(): Promise<void> {
    this.looking ??= this.look()
      .catch(unlessTransient)
      .finally(() => {
        this.looking = undefined;
      });
    return this.looking;
  }

  /** What the registry says, for rows that another instance moves. */
  private async look(): Promise<void> {
    // How far rows are that nobody reads says nothing about those that are read.
    const names = new Set(this.projections.map(({ name }) => name));
    for (const row of await registered(this.database.pool, 'live')) {
      if (!names.has(row.name)) continue;
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

function unlessTransient(error: unknown): void {
  if (!isTransient(error)) throw error;
}
