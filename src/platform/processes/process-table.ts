import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

import type { DaemonIdentity } from './process-runner.port.js';

export interface SeenProcess extends DaemonIdentity {
  readonly args: readonly string[];
}

/** The identity of a process that lives now, or null when it is gone or only waits to be reaped. */
export async function identityOf(pid: number): Promise<DaemonIdentity | null> {
  try {
    return parseStat(pid, await readFile(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return null;
  }
}

/**
 * The same without giving way to the event loop: a child that was just started can't be reaped in between, so that its
 * start time is known even when it ends at once.
 */
export function startTicksOfNewChild(pid: number): number {
  return startTicks(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}

/** All living processes one of whose arguments passes the test, whoever started them. */
export async function processesWithArgument(test: (argument: string) => boolean): Promise<readonly SeenProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const seen = await Promise.all(pids.map((pid) => look(pid, test)));
  return seen.filter((one) => one !== null);
}

async function look(pid: number, test: (argument: string) => boolean): Promise<SeenProcess | null> {
  try {
    const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1);
    if (!args.some(test)) return null;
    const identity = await identityOf(pid);
    return identity === null ? null : { ...identity, args };
  } catch {
    return null;
  }
}

function parseStat(pid: number, stat: string): DaemonIdentity | null {
  const state = fieldsAfterName(stat)[0];
  if (state === 'Z' || state === 'X') return null;
  return { pid, startTicks: startTicks(stat) };
}

function startTicks(stat: string): number {
  const ticks = Number(fieldsAfterName(stat)[19]);
  if (!Number.isSafeInteger(ticks)) throw new Error('the start time of a process could not be read');
  return ticks;
}

/** The name in parentheses may hold anything, also spaces and parentheses: fields are counted after the last one. */
function fieldsAfterName(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
