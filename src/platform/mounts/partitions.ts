import { z } from 'zod';

import type { FoundPartition } from '#domain/restore/effects';
import type { ProcessRunner } from '#platform/processes/process-runner.port';

const PROBE_SECONDS = 60;
/** As many as a usual GPT has room for; a table that names more is not one that a machine boots from. */
const MAX_PARTITIONS = 128;
const PROBES_AT_ONCE = 4;
const MAX_TEXT_LENGTH = 64;
/** MBR types that only hold other partitions. */
const CONTAINERS = ['5', 'f', '85'];

const table = z.object({
  partitiontable: z.object({
    label: z.string(),
    sectorsize: z.number().int().positive().default(512),
    partitions: z
      .array(
        z.object({
          node: z.string(),
          start: z.number().int().nonnegative(),
          size: z.number().int().nonnegative(),
          type: z.string(),
        }),
      )
      .default([]),
  }),
});

type Extent = Pick<FoundPartition, 'number' | 'startBytes' | 'sizeBytes'>;

/**
 * The partitions of the disk in `file` and what is in each. A filesystem on the bare disk, and a disk where nothing is
 * recognised, is one partition with the number 0. Neither program runs as part of this process: the disk is hostile.
 */
export async function findPartitions(
  runner: ProcessRunner,
  file: string,
  diskSizeBytes: number,
  signal: AbortSignal,
): Promise<readonly FoundPartition[]> {
  const whole: Extent = { number: 0, startBytes: 0, sizeBytes: diskSizeBytes };
  const [bare, extents] = await Promise.all([
    probe(runner, file, whole, signal),
    readTable(runner, file, diskSizeBytes, signal),
  ]);
  // A boot sector of a filesystem may look like a partition table; blkid knows the difference.
  if (bare.filesystem !== null || extents === null) return [bare];
  const found: FoundPartition[] = [];
  for (let first = 0; first < extents.length; first += PROBES_AT_ONCE) {
    const some = extents.slice(first, first + PROBES_AT_ONCE);
    found.push(...(await Promise.all(some.map((extent) => probe(runner, file, extent, signal)))));
  }
  return found;
}

async function readTable(
  runner: ProcessRunner,
  file: string,
  diskSizeBytes: number,
  signal: AbortSignal,
): Promise<readonly Extent[] | null> {
  const answer = await runner.run({
    program: 'sfdisk',
    args: ['--json', '--', file],
    timeoutSeconds: PROBE_SECONDS,
    signal,
  });
  if (answer.exitCode !== 0) return null;
  const { partitiontable } = table.parse(JSON.parse(answer.stdout));
  const { sectorsize } = partitiontable;
  // A table may promise more than there is: of a disk that was shrunk, or so that nothing of the disk can be opened.
  const sizeOf = (start: number, size: number) => Math.min(size * sectorsize, diskSizeBytes - start * sectorsize);
  return partitiontable.partitions
    .filter(({ type }) => partitiontable.label !== 'dos' || !CONTAINERS.includes(type.toLowerCase()))
    .map(({ node, start, size }) => ({
      number: Number(/(\d+)$/.exec(node)?.[1] ?? 0),
      startBytes: start * sectorsize,
      sizeBytes: sizeOf(start, size),
    }))
    .filter(({ number, sizeBytes }) => number > 0 && sizeBytes > 0)
    .slice(0, MAX_PARTITIONS);
}

async function probe(
  runner: ProcessRunner,
  file: string,
  extent: Extent,
  signal: AbortSignal,
): Promise<FoundPartition> {
  const place = ['-O', String(extent.startBytes), '-S', String(extent.sizeBytes)];
  const answer = await runner.run({
    program: 'blkid',
    args: ['-p', '-o', 'udev', ...place, '--', file],
    timeoutSeconds: PROBE_SECONDS,
    signal,
  });
  // Any other exit code: nothing recognised, or signs of several filesystems at once.
  const values = answer.exitCode === 0 ? parseValues(answer.stdout) : new Map<string, string>();
  return {
    ...extent,
    filesystem: text(values.get('ID_FS_TYPE')),
    label: text(values.get('ID_FS_LABEL_ENC')),
    uuid: text(values.get('ID_FS_UUID_ENC')),
  };
}

function parseValues(output: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of output.split('\n')) {
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined && !values.has(key)) values.set(key, value);
  }
  return values;
}

/** A guest's text with blkid's `\xNN` undone, without control characters, cut to a length that fits a line. */
function text(encoded: string | undefined): string | null {
  if (encoded === undefined) return null;
  const parts = encoded.split(/(\\x[0-9a-f]{2})/);
  const bytes = parts.map((part) =>
    /^\\x[0-9a-f]{2}$/.test(part) ? Buffer.from(part.slice(2), 'hex') : Buffer.from(part, 'utf8'),
  );
  const plain = Buffer.concat(bytes)
    .toString('utf8')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '')
    .trim();
  return plain === '' ? null : Array.from(plain).slice(0, MAX_TEXT_LENGTH).join('');
}
