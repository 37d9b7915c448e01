import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { LabFacts } from '../lab.js';

/** As `npm start` has it: a heap with a limit is cleared up early instead of growing as large as the machine allows. */
const HEAP_LIMIT = '--max-old-space-size=1024';
const START_SECONDS = 60;
const STOP_SECONDS = 30;

/** A program of ours that says `{"ready":true,…}` on its standard output when it serves. */
interface Running {
  readonly child: ChildProcess;
  readonly ready: Readonly<Record<string, unknown>>;
}

/** What is different from a demonstration's stage. */
export interface StageSettings {
  /** How the path of the stage's folder begins. Sockets lie deep in it, and their paths have little room. */
  readonly dirPrefix?: string;
  /** The folder of the lab's disks, which stays when the stage is left. */
  readonly labDir?: string;
  /** The lab's program and its first arguments. */
  readonly labProgram?: readonly string[];
  /** OMA's data folder, its database, and its administrator's password, where they outlive the stage. */
  readonly oma?: { readonly dataDir: string; readonly databaseUrl: string; readonly password: string };
}

/** The whole small world of one demonstration: a folder, the lab, OMA; `leave` takes all of it away again. */
export class Stage {
  private constructor(
    readonly dir: string,
    readonly omaDataDir: string,
    readonly password: string,
    readonly vcenterPassword: string,
    private readonly lab: Running,
    private readonly oma: Running,
  ) {}

  static async enter(settings: StageSettings = {}): Promise<Stage> {
    const dir = await mkdtemp(settings.dirPrefix ?? join(tmpdir(), 'oma-demo-'));
    const labProgram = settings.labProgram ?? ['dist/lab/main.js'];
    const labDir = settings.labDir ?? join(dir, 'lab');
    const omaDataDir = settings.oma?.dataDir ?? join(dir, 'oma');
    const password = settings.oma?.password ?? randomBytes(18).toString('base64url');
    const vcenterPassword = randomBytes(18).toString('base64url');
    const started: Running[] = [];
    try {
      const lab = await start([...labProgram, '--dir', labDir, '--port', '0'], {
        LAB_VCENTER_PASSWORD: vcenterPassword,
      });
      started.push(lab);
      const oma = await start(['dist/src/main.js', '--ready-line'], {
        OMA_PORT: '0',
        OMA_DATA_DIR: omaDataDir,
        ...(settings.oma !== undefined && { DATABASE_URL: settings.oma.databaseUrl }),
        OMA_ADMIN_PASSWORD: password,
        OMA_VMA_URL: String(lab.ready['url']),
        OMA_LOG_LEVEL: 'warn',
      });
      return new Stage(dir, omaDataDir, password, vcenterPassword, lab, oma);
    } catch (error) {
      for (const running of started) await stop(running.child);
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  get labFacts(): LabFacts {
    return this.lab.ready as unknown as LabFacts;
  }

  get labUrl(): string {
    return String(this.lab.ready['url']);
  }

  get omaUrl(): string {
    return String(this.oma.ready['url']);
  }

  /** OMA's own process; its database and the programs it starts are others. */
  get omaPid(): number {
    return this.oma.child.pid ?? 0;
  }

  /** Ends both programs, removes the folder, and answers what is left all the same: that should be nothing. */
  async leave(): Promise<readonly string[]> {
    await stop(this.oma.child);
    await stop(this.lab.child);
    const left = [...processesNaming(this.dir), ...mountsBeneath(this.dir)];
    if (left.length === 0) await rm(this.dir, { recursive: true, force: true });
    return left;
  }
}

async function start(args: readonly string[], environment: Readonly<Record<string, string>>): Promise<Running> {
  const child = spawn(process.execPath, ['--enable-source-maps', HEAP_LIMIT, ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const limit = setTimeout(() => child.kill('SIGTERM'), START_SECONDS * 1000);
  try {
    for await (const line of lines) {
      const ready = parse(line);
      if (ready !== null) return { child, ready };
    }
  } finally {
    clearTimeout(limit);
    child.stdout.resume();
  }
  throw new Error(`${args[0] ?? ''} ended before it was ready`);
}

function parse(line: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith('{"ready":true')) return null;
  return JSON.parse(line) as Record<string, unknown>;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), STOP_SECONDS * 1000);
  await gone;
  clearTimeout(limit);
}

function processesNaming(dir: string): readonly string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && entry !== String(process.pid))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return command.includes(dir) ? [`process ${pid}: ${command.trim()}`] : [];
      } catch {
        return [];
      }
    });
}

function mountsBeneath(dir: string): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target.startsWith(`${dir}/`))
    .map((target) => `mount ${target}`);
}
