import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const SAMPLE_EVERY_MS = 100;
const BYTES_PER_KIB = 1024;
export const BYTES_PER_MB = 1_000_000;

/**
 * Resident memory of OMA itself: of its process and of those of its descendants that are Node as well. Its database and
 * the system programs that it starts aren't counted. Bytes.
 */
export async function residentBytes(pid: number): Promise<number> {
  const own = [pid, ...(await descendants(pid))];
  const sizes = await Promise.all(own.map(async (one) => ((await isNode(one)) ? kibOf(one, 'VmRSS') : 0)));
  return sizes.reduce((sum, kib) => sum + kib, 0) * BYTES_PER_KIB;
}

/** Watches OMA's memory while `work` is done, and answers the most that it was. Bytes. */
export async function peakResidentBytes(pid: number, work: () => Promise<void>): Promise<number> {
  // The kernel remembers a process's peak since it was last told to forget it; samples could miss a short one.
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  const ending = new AbortController();
  let peak = 0;
  const watching = (async () => {
    while (!ending.signal.aborted) {
      peak = Math.max(peak, await residentBytes(pid));
      await pause(SAMPLE_EVERY_MS, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  })();
  try {
    await work();
  } finally {
    ending.abort();
    await watching;
  }
  return Math.max(peak, (await kibOf(pid, 'VmHWM')) * BYTES_PER_KIB);
}

async function descendants(pid: number): Promise<readonly number[]> {
  const entries = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const parents = new Map(
    await Promise.all(entries.map(async (one) => [one, await parentOf(one)] satisfies [number, number])),
  );
  const isBeneath = (one: number): boolean => {
    const parent = parents.get(one) ?? 0;
    return parent === pid || (parent > 1 && isBeneath(parent));
  };
  return entries.filter(isBeneath);
}

/** A process that is gone meanwhile has no parent, and no memory. */
async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
}

async function isNode(pid: number): Promise<boolean> {
  return (await readlink(`/proc/${pid}/exe`).catch(() => '')) === process.execPath;
}

async function kibOf(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
}
