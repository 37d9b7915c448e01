import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

import { newId } from '#platform/ids/ids';

/** Field 22 of /proc/PID/stat, counted behind the command's closing bracket: with the pid it names one process. */
const START_TICKS_AFTER_COMMAND = 19;

function startTicks(pid: string): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TICKS_AFTER_COMMAND] ?? null;
  } catch {
    return null;
  }
}

/** A name for this start of this process: random, and telling enough to see later that its owner is dead. */
export function thisWorker(): string {
  const pid = String(process.pid);
  return [hostname(), pid, startTicks(pid) ?? '0', newId()].join('/');
}

/** True when the owner ran on this machine and its process is gone. Of other machines nothing is known: leases run out. */
export function isDeadWorker(owner: string): boolean {
  const [host, pid = '', ticks] = owner.split('/');
  return host === hostname() && startTicks(pid) !== ticks;
}
