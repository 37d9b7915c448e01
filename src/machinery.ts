import type { Provider } from '@nestjs/common';
import { DataSource } from 'typeorm';

import { deciders, projections, sagas } from './catalogue.js';
import { entities } from './entities.js';
import { measure } from './measures.js';
import { VaultVcenterCredentials } from './modules/credentials/vault.vcenter-credentials.js';
import { Argon2Passwords } from './platform/auth/argon2.passwords.js';
import { FirstPassword } from './platform/auth/first-password.port.js';
import { LoginAttempts } from './platform/auth/login-attempts.js';
import { Passwords } from './platform/auth/passwords.port.js';
import { PostgresSessions } from './platform/auth/postgres.sessions.js';
import { Clock } from './platform/clock/clock.port.js';
import { SystemClock } from './platform/clock/system.clock.js';
import { Config } from './platform/config/config.js';
import { awaitDatabase } from './platform/database/await-database.js';
import { Database } from './platform/database/database.js';
import { Heartbeat } from './platform/database/heartbeat.port.js';
import { migrate } from './platform/database/migrate.js';
import { migrations } from './platform/database/migrations.js';
import { PostgresHeartbeat } from './platform/database/postgres.heartbeat.js';
import { openReadModels } from './platform/database/read-models.js';
import { SilenceWatch } from './platform/database/silence-watch.js';
import { Views } from './platform/database/views.js';
import { Aggregates } from './platform/event-store/aggregates.js';
import { awaitEventStore } from './platform/event-store/await-event-store.js';
import { chosenEventStore, placeOfLog } from './platform/event-store/chosen-event-store.js';
import { EventStore, type OpenEventStore } from './platform/event-store/event-store.port.js';
import { keepToOwnLog } from './platform/event-store/own-log.js';
import { GuestFiles } from './platform/filesystems/guest-files.port.js';
import { ProcessGuestFiles } from './platform/filesystems/process.guest-files.js';
import { RestoreAccess } from './platform/filesystems/restore-access.js';
import { AgentTokens } from './platform/http/agent-tokens.port.js';
import { IdempotencyKeys } from './platform/http/idempotency.port.js';
import { PostgresIdempotencyKeys } from './platform/http/postgres.idempotency-keys.js';
import { Sessions } from './platform/http/sessions.port.js';
import { Numbers } from './platform/ids/numbers.port.js';
import { PostgresNumbers } from './platform/ids/postgres.numbers.js';
import { newStartIn } from './platform/instances/instance-id.js';
import { INSTANCE_TIMES, Instances } from './platform/instances/instances.js';
import { Logger } from './platform/logging/logger.port.js';
import { manifestExecutors } from './platform/manifests/executors.js';
import { HashWorkers } from './platform/manifests/hash-workers.js';
import { MeasuredEventStore } from './platform/metrics/measured.event-store.js';
import { Metrics } from './platform/metrics/metrics.port.js';
import { PrometheusMetrics } from './platform/metrics/prometheus.metrics.js';
import { mountExecutors } from './platform/mounts/executors.js';
import { MountFolder } from './platform/mounts/mount-folder.js';
import { MountParts } from './platform/mounts/mount-parts.js';
import { ExecaProcessRunner } from './platform/processes/execa.process-runner.js';
import { ProjectionProgress } from './platform/projections/projection-progress.port.js';
import { ProjectionRunner } from './platform/projections/projection-runner.js';
import { ProjectionUpkeep } from './platform/projections/projection-upkeep.port.js';
import { RegistryProjectionUpkeep } from './platform/projections/registry.projection-upkeep.js';
import { qemuExecutors } from './platform/qemu/executors.js';
import { ImageConditions } from './platform/qemu/image-conditions.port.js';
import { PosixImageConditions } from './platform/qemu/posix.image-conditions.js';
import { NbdExports } from './platform/qemu/nbd-exports.js';
import { NbdPorts } from './platform/qemu/nbd-ports.js';
import { Readiness } from './platform/readiness/readiness.port.js';
import { WatchedReadiness } from './platform/readiness/watched.readiness.js';
import { Orphans } from './platform/recovery/orphans.js';
import { LocalRepositoryStorage } from './platform/repositories/local-repository-storage.port.js';
import { PosixLocalRepositoryStorage } from './platform/repositories/posix.local-repository-storage.js';
import { repositoryExecutors } from './platform/repositories/preflight.executor.js';
import { offerReporting } from './platform/reporting/reporting.js';
import { CommandEffect } from './platform/sagas/command.effect.js';
import { SagaEngine } from './platform/sagas/saga-engine.js';
import { masterKey } from './platform/secrets/master-key.js';
import { PostgresVault } from './platform/secrets/postgres.vault.js';
import { keyFor } from './platform/secrets/sealing.js';
import { StraySecrets } from './platform/secrets/stray-secrets.js';
import { Vault } from './platform/secrets/vault.port.js';
import { inTurn } from './platform/start/in-turn.js';
import type { Patience } from './platform/start/patience.js';
import { Agents } from './platform/vma/agents.js';
import { configuredAgents } from './platform/vma/configured-agents.js';
import { agentExecutors } from './platform/vma/agent.executors.js';
import { BackupProgress } from './platform/vma/backup-progress.js';
import { CompletionCalls } from './platform/vma/completion-calls.js';
import { FOLLOW_TIMES } from './platform/vma/follow.js';
import { VcenterCredentials } from './platform/vma/vcenter-credentials.port.js';
import { projectionThreads } from './projection-workshop.js';
import { reportingViews } from './reporting.js';

const KNOWS_STEPS_MS = 5000;

/** All parts that touch the world, made and joined; `start` sets them going in order, `stop` ends them in the reverse. */
export class Machinery {
  private constructor(
    readonly providers: readonly Provider[],
    readonly aggregates: Aggregates,
    readonly rows: DataSource,
    readonly orphans: Orphans,
    readonly instances: Instances,
    private readonly parts: {
      readonly database: Database;
      readonly silenceWatch: SilenceWatch;
      readonly store: OpenEventStore;
      readonly runner: ProjectionRunner;
      readonly engine: SagaEngine;
      readonly strays: StraySecrets;
      readonly workers: HashWorkers;
      readonly nbdExports: NbdExports;
      readonly patience: Patience;
      readonly logPlace: string;
    },
  ) {}

  /**
   * Waits for the database, brings the schema up to date, opens the vault and takes this instance's place. Throws CannotStart
   * when the database stays away, was written by a newer OMA, another master key made the vault, or the signal is aborted while
   * something is waited for; InstanceIsRunning when another OMA has that place.
   */
  static async build(
    config: Config,
    databaseUrl: string,
    logger: Logger,
    firstPassword: FirstPassword,
    signal: AbortSignal,
  ): Promise<Machinery> {
    const patience = { seconds: config.startWaitSeconds, logger, signal };
    await awaitDatabase(databaseUrl, patience);
    const database = new Database(databaseUrl);
    await migrate(database, migrations, logger);
    const master = await masterKey(config.dataDir, config.masterKey, () => PostgresVault.isUnmade(database));
    const vault = await PostgresVault.unlock(database, master);
    const metrics = new PrometheusMetrics().withProcess();
    const store = new MeasuredEventStore(await chosenEventStore(config, database, logger), metrics);
    const instances = new Instances(database, await newStartIn(config.dataDir), logger, {
      ...INSTANCE_TIMES,
      goneSeconds: config.instanceGoneSeconds,
    });
    const aggregates = new Aggregates(store, instances.identity.instanceId);
    const workshop = projectionThreads(databaseUrl, config.logLevel, config);
    const runner = new ProjectionRunner(database, store, projections, logger, workshop);
    const upkeep = new RegistryProjectionUpkeep(database, store, projections, runner.lookAgain.bind(runner));
    const rows = await openReadModels(database, entities);
    const views = new Views(rows);
    const clock = new SystemClock();
    const processes = new ExecaProcessRunner();
    const storage = new PosixLocalRepositoryStorage([config.runDir, `${config.dataDir}/postgres`]);
    const ports = new NbdPorts(database, config.nbdPorts, instances.identity.instanceId);
    const nbdExports = new NbdExports(processes, ports, config.runDir);
    const access = new RestoreAccess(database);
    const guestFiles = new ProcessGuestFiles(processes, access, ({ mountId, partition }) =>
      new MountFolder(config.runDir, mountId).filesystem(partition),
    );
    const agents = await configuredAgents(config);
    const credentials = new VaultVcenterCredentials(rows, vault);
    const progress = new BackupProgress(database);
    const calls = new CompletionCalls();
    const { agentAwaySeconds: awaySeconds, readyLagSeconds: maxLagSeconds } = config;
    const times = { ...FOLLOW_TIMES, awaySeconds, stalledSeconds: config.agentStalledSeconds };
    const workers = new HashWorkers(logger);
    const executors = [
      new CommandEffect(aggregates, deciders),
      ...repositoryExecutors(storage),
      ...qemuExecutors({ runner: processes, nbdExports, agents }),
      ...agentExecutors({ agents, credentials, nbdExports, progress, calls, logger, times }),
      ...manifestExecutors({ runner: processes, agents, workers, clock, awaySeconds }),
      ...mountExecutors({ runner: processes, runDir: config.runDir, access, logger }),
    ];
    const engine = new SagaEngine({
      identity: instances.identity,
      database,
      store,
      sagas,
      executors,
      logger,
      caughtUp: () => runner.caughtUp(['effect', 'timer']),
    });
    runner.onAdvance((name, events) => {
      if (name === 'effect' && events > 0) engine.worker.wake();
    });
    const heartbeat = new PostgresHeartbeat(database);
    const readiness = new WatchedReadiness({ heartbeat, store, progress: runner, engine, maxLagSeconds });
    measure(metrics, { database, runner, worker: engine.worker });
    const requestKey = keyFor(master, 'oma idempotency requests');
    const providers: readonly Provider[] = [
      { provide: Config, useValue: config },
      { provide: Logger, useValue: logger },
      { provide: Metrics, useValue: metrics },
      { provide: Instances, useValue: instances },
      { provide: Clock, useValue: clock },
      { provide: DataSource, useValue: rows },
      { provide: Views, useValue: views },
      { provide: Aggregates, useValue: aggregates },
      { provide: EventStore, useValue: store },
      { provide: ProjectionProgress, useValue: runner },
      { provide: ProjectionUpkeep, useValue: upkeep },
      { provide: Heartbeat, useValue: heartbeat },
      { provide: Readiness, useValue: readiness },
      { provide: Vault, useValue: vault },
      { provide: Numbers, useValue: new PostgresNumbers(database) },
      { provide: Passwords, useValue: new Argon2Passwords(database) },
      { provide: FirstPassword, useValue: firstPassword },
      { provide: Sessions, useValue: new PostgresSessions(database, views) },
      { provide: LoginAttempts, useValue: new LoginAttempts() },
      { provide: IdempotencyKeys, useValue: new PostgresIdempotencyKeys(database, requestKey, instances) },
      { provide: LocalRepositoryStorage, useValue: storage },
      { provide: ImageConditions, useValue: new PosixImageConditions() },
      { provide: Agents, useValue: agents },
      { provide: AgentTokens, useValue: agents },
      { provide: VcenterCredentials, useValue: credentials },
      { provide: BackupProgress, useValue: progress },
      { provide: CompletionCalls, useValue: calls },
      { provide: RestoreAccess, useValue: access },
      { provide: GuestFiles, useValue: guestFiles },
    ];
    const orphans = new Orphans(config.runDir, processes, nbdExports, new MountParts(processes, config.runDir, logger));
    await instances.register();
    return new Machinery(providers, aggregates, rows, orphans, instances, {
      database,
      silenceWatch: new SilenceWatch(database, logger),
      store,
      runner,
      engine,
      strays: new StraySecrets(database, store, logger),
      workers,
      nbdExports,
      patience,
      logPlace: placeOfLog(config),
    });
  }

  /** Waits for the log, and brings all rows up to date with it. Throws CannotStart when it stays away, or isn't this database's. */
  async catchUp(): Promise<void> {
    const { database, store, runner, patience, logPlace } = this.parts;
    await awaitEventStore(logPlace, store, patience);
    await keepToOwnLog(database, store);
    await runner.start();
    await offerReporting(database, reportingViews, patience.logger);
    await runner.caughtUp();
  }

  /** Resolves when another log turned out to be in the place of this database's: OMA must end. */
  get logReplaced(): Promise<void> {
    return this.parts.store.replaced;
  }

  /** Waits until the rows of steps show what the log holds now, for a moment at most. */
  async knowsSteps(): Promise<void> {
    await this.parts.runner.waitForHead(['effect'], KNOWS_STEPS_MS);
  }

  /** Takes up again whatever was under way, and goes on from there. */
  async resume(): Promise<void> {
    await this.parts.engine.start();
    this.parts.strays.start();
    this.parts.silenceWatch.start();
  }

  /** Lets go of everything, also when something of it fails. */
  async stop(): Promise<void> {
    const { database, silenceWatch, store, runner, engine, strays, workers, nbdExports } = this.parts;
    await inTurn([
      () => strays.stop(),
      () => engine.stop(),
      () => nbdExports.close(),
      () => workers.close(),
      () => runner.stop(),
      () => store.close(),
      () => this.rows.destroy(),
      () => this.instances.stop(),
      () => database.close(),
      () => silenceWatch.stop(),
    ]);
  }
}
