import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ExecaProcessRunner } from '#platform/processes/execa.process-runner';
import type { DaemonIdentity } from '#platform/processes/process-runner.port';
import { processesWithArgument } from '#platform/processes/process-table';
import type { EffectContext } from '#platform/sagas/effect.port';

import { eventually } from './eventually.js';

/** A folder of its own with a repository and a run directory; `clear` ends and removes everything that lives in it. */
export class DiskWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'oma-disk-'));
  readonly root = join(this.folder, 'repository');
  readonly runDir = join(this.folder, 'run');
  readonly runner = new ExecaProcessRunner();

  constructor() {
    chmodSync(this.folder, 0o700);
    mkdirSync(this.root, { mode: 0o700 });
    writeFileSync(join(this.root, '.oma-repository'), '');
    mkdirSync(this.runDir, { mode: 0o700 });
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Processes that name the folder, the tests' own helpers included. */
  async processes(): Promise<readonly DaemonIdentity[]> {
    return processesWithArgument((argument) => argument.includes(this.folder));
  }

  /** What is mounted in the folder, the innermost first. */
  mounts(): readonly string[] {
    return readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((place) => place.startsWith(`${this.folder}/`))
      .reverse();
  }

  async clear(): Promise<void> {
    await eventually(async () => {
      for (const place of this.mounts()) execFileSync('fusermount3', ['-u', '-z', place]);
      for (const { pid } of await this.processes()) kill(pid);
      if ((await this.processes()).length > 0 || this.mounts().length > 0) throw new Error('something still lives');
    });
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It was gone already.
  }
}

/** What an executor is given beside its arguments. */
export function effectContext(signal: AbortSignal = new AbortController().signal): EffectContext {
  return {
    effectId: 'effect',
    attempt: 1,
    correlationId: 'correlation',
    saga: 'test',
    requestedEventId: 'event',
    signal,
  };
}

/** Runs a program of the test's own and answers what it printed. */
export function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
