import { readFileSync, readlinkSync } from 'node:fs';

import { startTicksOf } from '#platform/database/process-table';

/**
 * Which process this is, told so that another one can later say whether it is gone: the boot of the kernel, the pid
 * namespace (each container has its own, whatever its host name), the pid and when the process started.
 */
export function thisProcess(): string {
  return [...pidSpace(), process.pid, startTicksOf(process.pid) ?? 0].join('/');
}

/** True when the process could be seen from here and isn't there. Of other machines and containers nothing is known. */
export function isGone(place: string): boolean {
  const [boot, space, pid, ticks] = place.split('/');
  const [ownBoot, ownSpace] = pidSpace();
  return boot === ownBoot && space === ownSpace && startTicksOf(Number(pid)) !== Number(ticks);
}

function pidSpace(): readonly [boot: string, space: string] {
  return [readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), readlinkSync('/proc/self/ns/pid')];
}
