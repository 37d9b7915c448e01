import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { Api } from '#lab/demo/api';
import { Stage } from '#lab/demo/stage';
import { Database } from '#platform/database/database';

import { RECORDED } from '../guests.js';
import type { BenchContext } from './bench.js';
import { BenchServer } from './database-server.js';
import type { Leftovers } from './leftovers.js';
import { Reader } from './reader.js';
import { recordLife } from './recorded-life.js';
import { multiply } from './seeded-log.js';

const SIZE = { vms: 10_000, events: 1_000_000 };
const DATABASE = 'seeded';
/** The benches of one run share the log, and so the administrator. */
const PASSWORD = randomBytes(18).toString('base64url');

interface SeenRepository {
  readonly id: string;
  readonly config: { readonly path: string };
}

/** An OMA that has looked after 10,000 VMs for a while, and a million events in its log. */
export class SeededWorld {
  private constructor(
    readonly api: Api,
    readonly reader: Reader,
    readonly database: Database,
    readonly stage: Stage,
  ) {}

  /** Starts it; the first bench of a run makes the log, which lies beside the guests' disks and serves the others as well. */
  static async enter(context: BenchContext): Promise<SeededWorld> {
    const { dir, disksDir, leftovers, scale, tell } = context;
    const place = join(disksDir, DATABASE);
    await mkdir(place, { recursive: true, mode: 0o700 });
    const server = await BenchServer.start(join(place, 'server'), leftovers);
    const home = { dataDir: join(place, 'oma'), databaseUrl: server.address(DATABASE), password: PASSWORD };
    const fresh = !(await server.has(DATABASE));
    if (fresh) await server.create(DATABASE);
    const database = new Database(home.databaseUrl);
    leftovers.add(() => database.close());
    if (fresh) {
      const life = await recordLife(context, home);
      const size = { vms: Math.ceil(SIZE.vms * scale), events: Math.ceil(SIZE.events * scale) };
      tell(
        `a life has ${life.beginning.length} events and chapters of ${life.chapters.map((one) => one.length).join(', ')}`,
      );
      const began = performance.now();
      const events = await multiply(database, life, size);
      tell(`${events} events of ${size.vms} VMs written in ${((performance.now() - began) / 1000).toFixed(0)} s`);
    }
    const entering = Stage.enter({
      dirPrefix: join(dir, 's'),
      labDir: disksDir,
      labProgram: ['dist/bench/lab.main.js', '--vms', RECORDED.name, '--scale', '1'],
      oma: home,
    });
    leftovers.add(async () => {
      const left = await entering.then((stage) => stage.leave());
      if (left.length > 0) throw new Error(`left behind: ${left.join('; ')}`);
    });
    const stage = await entering;
    const api = new Api(stage.omaUrl);
    await api.signIn('admin', PASSWORD);
    await openRepositories(api, leftovers);
    const reader = await Reader.signIn(stage.omaUrl, PASSWORD);
    leftovers.add(() => reader.close());
    return new SeededWorld(api, reader, database, stage);
  }

  /**
   * Otherwise PostgreSQL goes through a table of a million new rows a while later, with a processor of its own, beside whatever is
   * measured next.
   */
  async settle(): Promise<void> {
    await this.database.query('vacuum analyze');
    await this.database.query('checkpoint');
  }
}

/** The folder that the recorded backups lay in went with their lab: a repository that is away is another case than the usual one. */
async function openRepositories(api: Api, leftovers: Leftovers): Promise<void> {
  for (const { id, config } of await api.get<readonly SeenRepository[]>('/repositories')) {
    const made = await mkdir(config.path, { recursive: true, mode: 0o700 });
    if (made !== undefined) leftovers.add(() => rm(made, { recursive: true, force: true }));
    // Throws while it is away.
    await api.get(`/repositories/${id}/storage`);
  }
}
