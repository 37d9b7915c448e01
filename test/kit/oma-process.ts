import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { ApiClient } from './api-client.js';
import { freshDatabase } from './database.js';
import { ADMIN_PASSWORD } from './running-oma.js';

const PROGRAM = 'dist/src/main.js';

/** OMA as a program of its own, as people start it, so that it can be killed. */
export class OmaProcess {
  readonly api = new ApiClient('');
  private child: ChildProcess | null = null;

  private constructor(
    readonly dataDir: string,
    readonly databaseUrl: string,
    private readonly settings: Readonly<Record<string, string>>,
    private readonly drop: () => Promise<void>,
  ) {}

  static async start(settings: Readonly<Record<string, string>>): Promise<OmaProcess> {
    const fresh = await freshDatabase();
    const dataDir = mkdtempSync(join(tmpdir(), 'oma-crash-'));
    const oma = new OmaProcess(dataDir, fresh.url, settings, fresh.drop);
    await oma.restart();
    return oma;
  }

  /** Another one on the same database, with a data folder of its own. */
  static async beside(other: OmaProcess, settings: Readonly<Record<string, string>>): Promise<OmaProcess> {
    const dataDir = mkdtempSync(join(tmpdir(), 'oma-crash-'));
    const oma = new OmaProcess(dataDir, other.databaseUrl, settings, () => Promise.resolve());
    await oma.restart();
    return oma;
  }

  /** Starts it (again) on the same data and logs in. */
  async restart(): Promise<void> {
    const child = spawn(process.execPath, [PROGRAM, '--ready-line'], {
      env: {
        PATH: process.env['PATH'],
        OMA_PORT: '0',
        OMA_DATA_DIR: this.dataDir,
        DATABASE_URL: this.databaseUrl,
        OMA_ADMIN_PASSWORD: ADMIN_PASSWORD,
        OMA_LOG_LEVEL: 'error',
        ...this.settings,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.child = child;
    this.api.url = await readyUrl(child);
    await this.api.logIn('admin', ADMIN_PASSWORD);
  }

  /** kill -9: nothing of it gets to tidy up. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** As Ctrl-C does; answers the exit code. */
  async stop(): Promise<number | null> {
    return this.end('SIGTERM');
  }

  /** Waits until it ends by itself; answers the exit code. */
  async ended(): Promise<number | null> {
    const { child } = this;
    if (child?.exitCode !== null) return child?.exitCode ?? null;
    const [exitCode] = (await once(child, 'exit')) as [number | null];
    return exitCode;
  }

  async clear(): Promise<void> {
    await this.stop();
    await this.drop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this;
    if (child?.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const gone = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    const [exitCode] = await gone;
    return exitCode;
  }
}

async function readyUrl(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the program has no standard output');
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{"ready":true')) continue;
    child.stdout.resume();
    return (JSON.parse(line) as { url: string }).url;
  }
  throw new Error('OMA ended before it was ready');
}
