import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import type { DaemonIdentity, ProcessRunner } from '#platform/processes/process-runner.port';
import { processesWithArgument } from '#platform/processes/process-table';

const PROBE_SECONDS = 5;
/** Most servers are ready at once: they are asked soon first, and then more seldom. */
const FIRST_POLL_MS = 2;
const MAX_POLL_MS = 50;

/**
 * The living process of a program whose arguments hold exactly this one, or null. That is how a daemon is found again by a
 * later OMA: the argument names a place in the run directory that only this daemon of this program is given.
 */
export async function daemonWithArgument(program: string, argument: string): Promise<DaemonIdentity | null> {
  const named = await processesWithArgument((candidate) => candidate === argument);
  const found = named.find(({ args: [path = ''] }) => path === program || path.endsWith(`/${program}`));
  return found === undefined ? null : { pid: found.pid, startTicks: found.startTicks };
}

/** Whether an NBD server answers at the address and serves a disk of this size. Never throws. */
export async function nbdAnswers(
  runner: ProcessRunner,
  uri: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const answer = await runner.run({
      program: 'nbdinfo',
      args: ['--size', uri],
      timeoutSeconds: PROBE_SECONDS,
      signal,
    });
    return answer.exitCode === 0 && answer.stdout.trim() === String(sizeBytes);
  } catch {
    return false;
  }
}

/** Polls until `ready` holds. False when the daemon ended or the time ran out before. */
export async function daemonReady(
  runner: ProcessRunner,
  daemon: DaemonIdentity,
  ready: () => Promise<boolean>,
  limits: { readonly seconds: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const deadline = performance.now() + limits.seconds * 1000;
  for (let pollMs = FIRST_POLL_MS; performance.now() < deadline; pollMs = Math.min(pollMs * 2, MAX_POLL_MS)) {
    if (limits.signal.aborted) return false;
    if (!(await runner.isAlive(daemon))) return false;
    if (await ready()) return true;
    await pause(pollMs);
  }
  return false;
}

/** Whether nothing listens on the loopback port. */
export async function loopbackPortIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
