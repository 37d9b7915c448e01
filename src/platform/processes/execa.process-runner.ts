import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { PassThrough, pipeline, type Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';

import { execa } from 'execa';

import {
  DaemonHangs,
  type DaemonIdentity,
  ProcessRunner,
  type ProgramCall,
  ProgramNotFound,
  ProgramOutputTooLarge,
  type ProgramResult,
  ProgramTimedOut,
  type RunningProgram,
} from './process-runner.port.js';
import { identityOf, startTicksOfNewChild } from './process-table.js';

const MAX_STDOUT_BYTES = 32 * 1024 * 1024;
/** More of it is read and thrown away: a program with much to complain about must not block. */
const KEPT_STDERR_BYTES = 64 * 1024;
/**
 * A killed program ends at once, unless it waits in the kernel for a filesystem that hangs: then nobody waits for it, and it
 * ends when the filesystem does.
 */
const KILL_SECONDS = 2;
/** Of a daemon more is waited for than of a program: who ends it wants it gone. */
const DAEMON_KILL_SECONDS = 30;
const POLL_MS = 25;
const REMEMBERED_CHILDREN = 1000;

interface OwnChild {
  readonly exited: Promise<number | null>;
}

/** Runs programs by execa. Every program leads a process group of its own, so that its children end with it. */
export class ExecaProcessRunner extends ProcessRunner {
  private readonly ownChildren = new Map<string, OwnChild>();

  constructor(private readonly killedWithinSeconds = DAEMON_KILL_SECONDS) {
    super();
  }

  async run(call: ProgramCall): Promise<ProgramResult> {
    call.signal?.throwIfAborted();
    const child = start(call);
    const killed = new AbortController();
    const end = (reason: Error) => {
      killGroup(child.pid);
      killed.abort(reason);
    };
    const limit = setTimeout(() => {
      end(new ProgramTimedOut(`${call.program} took longer than ${call.timeoutSeconds} s`));
    }, call.timeoutSeconds * 1000);
    const onAbort = () => {
      end(new Error(`${call.program} was stopped because its caller gave up`));
    };
    call.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const finished = Promise.all([
        collect(child.stdout, MAX_STDOUT_BYTES, () => {
          end(new ProgramOutputTooLarge(`${call.program} wrote more than ${MAX_STDOUT_BYTES} bytes`));
        }),
        collect(child.stderr, KEPT_STDERR_BYTES, () => undefined),
        child,
      ]);
      const [stdout, stderr, result] = await Promise.race([finished, outlivingItsEnd(child, killed.signal)]);
      killed.signal.throwIfAborted();
      if (result.code === 'ENOENT') throw new ProgramNotFound(`the program ${call.program} is not installed`);
      if (result.exitCode === undefined && result.signal === undefined) {
        throw new Error(`${call.program} could not be started`, { cause: result.cause });
      }
      return { exitCode: result.exitCode ?? null, stdout, stderr };
    } finally {
      clearTimeout(limit);
      call.signal?.removeEventListener('abort', onAbort);
    }
  }

  pipe(call: Omit<ProgramCall, 'timeoutSeconds' | 'signal'>): RunningProgram {
    const child = start(call);
    const stderr = collect(child.stderr, KEPT_STDERR_BYTES, () => undefined);
    const ended = child.then(async (result) => ({ exitCode: result.exitCode ?? null, stderr: await stderr }));
    return {
      // Node lets the output of an ended child run into the void while nobody happens to read it; this one always reads.
      stdout: pipeline(child.stdout, new PassThrough(), () => undefined),
      ended,
      kill: () => {
        killGroup(child.pid);
      },
    };
  }

  async spawnDaemon(call: {
    readonly program: string;
    readonly args: readonly string[];
    readonly logFile: string;
  }): Promise<DaemonIdentity> {
    const log = await open(call.logFile, 'a', 0o600);
    try {
      const child = spawn(call.program, [...call.args], {
        cwd: '/',
        env: plainEnvironment(),
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      });
      const exited = exitOf(child);
      if (child.pid === undefined) {
        await exited.catch(() => undefined);
        throw new ProgramNotFound(`the program ${call.program} could not be started`);
      }
      const daemon = { pid: child.pid, startTicks: startTicksOfNewChild(child.pid) };
      child.unref();
      this.remember(daemon, { exited });
      return daemon;
    } finally {
      await log.close();
    }
  }

  async isAlive(daemon: DaemonIdentity): Promise<boolean> {
    return (await identityOf(daemon.pid))?.startTicks === daemon.startTicks;
  }

  async stopDaemon(
    daemon: DaemonIdentity,
    graceSeconds: number,
  ): Promise<{ readonly exitCode: number | null; readonly killed: boolean }> {
    let killed = false;
    if (await this.isAlive(daemon)) {
      signal(daemon.pid, 'SIGTERM');
      if (!(await this.goneWithin(daemon, graceSeconds * 1000))) {
        killed = true;
        killGroup(daemon.pid);
        if (!(await this.goneWithin(daemon, this.killedWithinSeconds * 1000))) {
          throw new DaemonHangs('a daemon was killed and is still there');
        }
      }
    }
    return { exitCode: (await this.ownChildren.get(keyOf(daemon))?.exited) ?? null, killed };
  }

  private async goneWithin(daemon: DaemonIdentity, milliseconds: number): Promise<boolean> {
    const deadline = performance.now() + milliseconds;
    // Of an own child the system tells when it is gone.
    const exited = this.ownChildren.get(keyOf(daemon))?.exited ?? new Promise(() => undefined);
    while (await this.isAlive(daemon)) {
      if (performance.now() >= deadline) return false;
      await Promise.race([exited, pause(POLL_MS)]);
    }
    return true;
  }

  private remember(daemon: DaemonIdentity, child: OwnChild): void {
    this.ownChildren.set(keyOf(daemon), child);
    const [oldest] = this.ownChildren.keys();
    if (this.ownChildren.size > REMEMBERED_CHILDREN && oldest !== undefined) this.ownChildren.delete(oldest);
  }
}

function start(call: Omit<ProgramCall, 'timeoutSeconds' | 'signal'>) {
  return execa(call.program, call.args, {
    ...(call.stdin === undefined ? { stdin: 'ignore' as const } : { input: call.stdin }),
    ...(call.cwd === undefined ? {} : { cwd: call.cwd }),
    env: { ...plainEnvironment(), ...call.environment },
    extendEnv: false,
    detached: true,
    buffer: false,
    reject: false,
  });
}

/** Rejects with why the program was killed, once it should have been gone for a while. */
async function outlivingItsEnd(child: ReturnType<typeof start>, killed: AbortSignal): Promise<never> {
  await once(killed, 'abort');
  await pause(KILL_SECONDS * 1000, undefined, { ref: false });
  child.stdout.destroy();
  child.stderr.destroy();
  child.unref();
  throw killed.reason;
}

/** What a program may know of our environment: never the settings, which hold secrets. */
function plainEnvironment(): Record<string, string> {
  const { PATH = '/usr/local/bin:/usr/bin:/bin', HOME = '/', TMPDIR = '/tmp' } = process.env;
  // A user's PATH often lacks the folders of sfdisk, blkid and e2fsck, which need no privileges to look at a file.
  return { PATH: `${PATH}:/usr/local/sbin:/usr/sbin:/sbin`, HOME, TMPDIR, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
}

async function collect(stream: Readable, maxBytes: number, onOverflow: () => void): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const room = maxBytes - size;
      if (chunk.length > room) onOverflow();
      if (room > 0) chunks.push(chunk.subarray(0, room));
      size += Math.min(chunk.length, Math.max(room, 0));
    }
  } catch {
    // The pipe of a killed program may break; its end is judged by the exit.
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  try {
    const [exitCode] = (await once(child, 'exit')) as [number | null];
    return exitCode;
  } catch {
    return null;
  }
}

function killGroup(pid: number | undefined): void {
  if (pid !== undefined) signal(-pid, 'SIGKILL');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function keyOf(daemon: DaemonIdentity): string {
  return `${daemon.pid}.${daemon.startTicks}`;
}
