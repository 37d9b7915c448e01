import { projections } from '../catalogue.js';
import { ProjectionOrders } from '../modules/operations/projection-orders.js';
import { Config } from '../platform/config/config.js';
import { Database } from '../platform/database/database.js';
import { isDatabaseAway } from '../platform/database/database-away.js';
import { chosenEventStore } from '../platform/event-store/chosen-event-store.js';
import { type DatabaseServer, joinDatabaseServer } from '../platform/database/database-server.js';
import { requireSchema } from '../platform/database/migrate.js';
import { migrations } from '../platform/database/migrations.js';
import { Aggregates } from '../platform/event-store/aggregates.js';
import type { OpenEventStore } from '../platform/event-store/event-store.port.js';
import { requireOwnLog } from '../platform/event-store/own-log.js';
import { pinoLogger } from '../platform/logging/pino.logger.js';
import { buildLock, checkLock, isUnlocked } from '../platform/projections/build-connection.js';
import { wantedBuild } from '../platform/projections/registry.js';
import { RegistryProjectionUpkeep } from '../platform/projections/registry.projection-upkeep.js';
import { projectionStatuses } from '../platform/projections/statuses.js';
import { type AnyProjection } from '../platform/projections/tables.js';
import type { Workshop } from '../platform/projections/upkeep.js';
import { projectionThreads } from '../projection-workshop.js';

/** The database or the log can't be used. */
export class Unreachable extends Error {}

/** What a command works with: the database and the log themselves, whether OMA runs or not. */
export class Workplace {
  private constructor(
    readonly orders: ProjectionOrders,
    private readonly workshop: Workshop,
    private readonly server: DatabaseServer,
    private readonly database: Database,
    private readonly store: OpenEventStore,
  ) {}

  /** Throws Unreachable. */
  static async open(environment: Readonly<Record<string, string | undefined>>): Promise<Workplace> {
    const config = Config.from(environment);
    const logLevel = environment['OMA_LOG_LEVEL'] ?? 'error';
    const logger = pinoLogger(logLevel);
    const server = await joinDatabaseServer(config, logger).catch(unreachable);
    const database = new Database(server.url);
    let store: OpenEventStore | undefined;
    try {
      store = await chosenEventStore(config, database, logger);
      await requireSchema(database, migrations);
      await store.start();
      await requireOwnLog(database, store);
      const orders = ordersOn(database, store);
      return new Workplace(orders, projectionThreads(server.url, logLevel, config), server, database, store);
    } catch (error) {
      await store?.close();
      await database.close();
      await server.close();
      return unreachable(error);
    }
  }

  /** Builds what is to be built of it, unless another process does just now. */
  async build(name: string, signal: AbortSignal): Promise<void> {
    const projection = projectionNamed(name);
    const wanted = await wantedBuild(this.database, projection);
    if (wanted === undefined || !(await isUnlocked(this.database, buildLock(wanted)))) return;
    await this.workshop.build(projection, signal);
  }

  /** Compares its rows, unless another process does just now. */
  async check(name: string, id: string, signal: AbortSignal): Promise<void> {
    if (await isUnlocked(this.database, checkLock(id))) await this.workshop.check(projectionNamed(name), id, signal);
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.database.close();
    await this.server.close();
  }
}

function ordersOn(database: Database, store: OpenEventStore): ProjectionOrders {
  const progress = { status: () => projectionStatuses(database, store, projections) };
  const upkeep = new RegistryProjectionUpkeep(database, store, projections);
  return new ProjectionOrders(new Aggregates(store), progress, upkeep);
}

function unreachable(error: unknown): never {
  const message = error instanceof Error ? error.message : '';
  if (!isDatabaseAway(error))
    throw new Unreachable(message === '' ? 'the database or the event store does not answer' : message);
  // A name with several addresses fails without words of its own.
  const how = message === '' ? '' : ` (${message})`;
  throw new Unreachable(`the database does not answer${how}: does it run, and is it where DATABASE_URL says?`);
}

function projectionNamed(name: string): AnyProjection {
  const projection = projections.find((one) => one.name === name);
  if (projection === undefined) throw new Error(`there is no projection ${name}`);
  return projection;
}
