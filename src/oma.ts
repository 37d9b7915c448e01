import type { NestFastifyApplication } from '@nestjs/platform-fastify';

import { createApp, serveSwagger } from './app.js';
import { AppModule } from './app.module.js';
import { Machinery } from './machinery.js';
import { FirstAdmin } from './modules/auth/first-admin.js';
import { GeneratedFirstPassword } from './platform/auth/generated.first-password.js';
import type { Config } from './platform/config/config.js';
import { isDatabaseAway } from './platform/database/database-away.js';
import { type DatabaseServer, openDatabaseServer } from './platform/database/database-server.js';
import type { Logger } from './platform/logging/logger.port.js';
import { inTurn } from './platform/start/in-turn.js';
import { sweepOrphans } from './recover.js';
import { windDown } from './wind-down.js';

export interface OmaOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Says a line to the person who started it. */
  readonly say: (line: string) => void;
  readonly isTerminal: boolean;
  readonly swagger: boolean;
  /** A start that waits for something gives up when it is aborted. */
  readonly signal: AbortSignal;
}

/** One running OMA. */
export class Oma {
  private constructor(
    /** Where it listens. */
    readonly url: string,
    /** Resolves when the other instances took this one for dead and ended its jobs: it must end, and may start again. */
    readonly givenUp: Promise<void>,
    /** Resolves when another log turned out to be in the place of this one's: it must end, and can't start again as it is. */
    readonly logReplaced: Promise<void>,
    private readonly app: NestFastifyApplication,
    private readonly machinery: Machinery,
    private readonly server: DatabaseServer,
    private readonly logger: Logger,
  ) {}

  /** Serves only after the log was caught up with and everything that was under way was taken up again. */
  static async start({ config, logger, say, isTerminal, swagger, signal }: OmaOptions): Promise<Oma> {
    const server = await openDatabaseServer(config, logger);
    let machinery: Machinery | undefined;
    try {
      const first = new GeneratedFirstPassword(config.adminPassword, config.dataDir, { isTerminal, say });
      machinery = await Machinery.build(config, server.url, logger, first, signal);
      const app = await createApp(AppModule.with(machinery.providers), logger, config.trustedProxies);
      await machinery.catchUp();
      await sweepOrphans(machinery, logger);
      await machinery.resume();
      await app.get(FirstAdmin).ensure();
      if (swagger) serveSwagger(app);
      // For the name Fastify opens a server per address, and a stop cuts off whoever is with the second.
      const host = config.host === 'localhost' ? '127.0.0.1' : config.host;
      await app.listen(config.port, host).catch((error: unknown) => {
        throw portTaken(error, config) ?? error;
      });
      const all = await app.getUrl();
      const url = host === '::' ? all.replace('[::1]', '127.0.0.1') : all;
      return new Oma(url, machinery.instances.givenUp, machinery.logReplaced, app, machinery, server, logger);
    } catch (error) {
      await machinery?.stop().catch(() => undefined);
      await server.close();
      throw error;
    }
  }

  /**
   * Takes no new requests, ends what is under way, and lets go of everything, also when something of it fails. Answers whether
   * all backups and mounts were ended; the log says what kept them.
   */
  async stop(): Promise<boolean> {
    let areEnded = false;
    await inTurn([
      () => this.app.close(),
      async () => {
        areEnded = await this.endJobs();
      },
      () => this.machinery.stop(),
      () => this.server.close(),
    ]);
    return areEnded;
  }

  private async endJobs(): Promise<boolean> {
    try {
      const left = await windDown(this.machinery, this.logger);
      if (left > 0) this.logger.warn({ left }, 'some jobs could not be ended in time; the next start takes them up');
      return left === 0;
    } catch (error) {
      if (!isDatabaseAway(error)) throw error;
      this.logger.warn({ error }, 'the database is away: no job could be ended; the next start takes them up');
      return false;
    }
  }
}

/** What to do about it, which the system's own words don't tell; null for any other fault. */
function portTaken(error: unknown, { host, port }: Config): Error | null {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return null;
  return new Error(`${host}:${String(port)} is in use; stop what listens there, or set OMA_PORT`, { cause: error });
}
