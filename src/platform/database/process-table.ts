import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { codeOf } from './error-code.js';

/**
 * When a process started, in clock ticks since boot (field 22 of /proc/PID/stat): with the pid it names one process of one
 * boot. undefined when there is no such process, or only its unreaped remains.
 */
export function startTicksOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses and may hold anything, also spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

/** The processes whose working folder is this one, as far as this user may know. The folder must be a real path. */
export function processesIn(folder: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder && startTicksOf(pid) !== undefined;
    } catch {
      return false;
    }
  });
}

/** Sends a signal; a process that is already gone is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}
