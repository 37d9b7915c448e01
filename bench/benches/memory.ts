import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

import { FOUR } from '../guests.js';
import type { Bench } from '../harness/bench.js';
import { BYTES_PER_MB, peakResidentBytes, residentBytes } from '../harness/memory.js';
import { run } from '../harness/programs.js';
import { growth, type Pair } from '../harness/result.js';
import { World } from '../harness/world.js';

const FOUR_AT_ONCE = "peak of OMA's own memory during four backups at once";
/** After its start, until what was needed only for that is given back. */
const REST_MS = 5000;

/** OMA's own memory while four VMs are backed up, against what it needs for doing nothing. */
export const memory: Bench = {
  name: 'memory',
  about: "OMA's own process while four disks of 1 GiB with 512 MiB of data are backed up at once",
  cases: [
    {
      ...growth,
      name: FOUR_AT_ONCE,
      baseline: `resident memory of the same process ${REST_MS / 1000} s after its start, before any backup (VmRSS in /proc/PID/status)`,
      goal: { is: 'at most', value: 60 },
    },
  ],
  async run(context) {
    const world = await World.enter(context, FOUR);
    const { omaPid } = world.stage;
    await pause(REST_MS, undefined, { signal: context.signal });
    const baseline = (await residentBytes(omaPid)) / BYTES_PER_MB;
    const pairs: Pair[] = [];
    // One OMA for all of them: memory that a backup doesn't give back counts against the next.
    while (pairs.length < context.pairs) {
      context.signal.throwIfAborted();
      const images: [string, string][] = [];
      const peak = await peakResidentBytes(omaPid, async () => {
        const done = await Promise.all(FOUR.map(async (guest) => ({ guest, ...(await world.backUp(guest)) })));
        images.push(
          ...done.map(({ guest, backup }) => [world.sourceOf(guest).file, world.imageOf(backup)] as [string, string]),
        );
      });
      for (const [source, image] of images) {
        await run('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', source, image], context.signal);
        await rm(image);
      }
      pairs.push({ ours: peak / BYTES_PER_MB, baseline });
      context.tell(
        `round ${pairs.length} of ${context.pairs}: peak ${Math.round(peak / BYTES_PER_MB)} MB, idle ${Math.round(baseline)} MB`,
      );
    }
    return new Map([[FOUR_AT_ONCE, pairs]]);
  },
};
