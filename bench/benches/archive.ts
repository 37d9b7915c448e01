import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { MountFolder } from '#platform/mounts/mount-folder';

import { FOLDER } from '../guests.js';
import type { Bench } from '../harness/bench.js';
import { BYTES_PER_MB, peakResidentBytes } from '../harness/memory.js';
import { interleaved } from '../harness/pairs.js';
import { run, runPiped, secondsOf } from '../harness/programs.js';
import { growth, speed } from '../harness/result.js';
import { World } from '../harness/world.js';

const STREAM = 'tar.gz of a folder, until its last byte';
const MEMORY = "peak of OMA's memory during it, with the program that archives";
const IN_GUEST = 'data';
const QUARTER = 'quarter';
const PARTITION = 1;
/** A folder downloaded as `tar.gz` against tar and gzip on the very same mount. */
export const archive: Bench = {
  name: 'archive',
  about: 'a folder of 96 MiB in large files and 1,000 small ones, downloaded as tar.gz',
  cases: [
    {
      ...speed,
      name: STREAM,
      baseline: "tar -C MOUNT -cf - data | gzip -6 > FILE, on OMA's own mount of the restore point",
      goal: { is: 'at least', value: 0.9 },
    },
    {
      ...growth,
      // Not a peak but a difference of two, each with what the collector had not taken away yet.
      worstCounts: false,
      name: MEMORY,
      baseline: 'the same for a folder a quarter as large (VmRSS of OMA and its programs in /proc/PID/status, added)',
      goal: { is: 'at most', value: 16 },
    },
  ],
  async run(context) {
    const { dir, signal } = context;
    const world = await World.enter(context, [FOLDER]);
    const { omaPid, omaDataDir } = world.stage;
    const { backup } = await world.backUp(FOLDER);
    const mountId = await world.mount(backup);
    const mounted = new MountFolder(join(omaDataDir, 'run'), mountId).filesystem(PARTITION);
    const files = { ours: join(dir, 'ours.tar.gz'), theirs: join(dir, 'theirs.tar.gz') };
    const download = async (folder: string) => {
      const stream = await world.api.stream(`/restore/${mountId}/download-directory?path=/${folder}&format=tar.gz`);
      await pipeline(stream, createWriteStream(files.ours, { mode: 0o600 }));
    };
    const peakMb = async (folder: string) => (await peakResidentBytes(omaPid, () => download(folder))) / BYTES_PER_MB;
    const measured = await interleaved(context, {
      // To look at memory takes time of its own, so it isn't done while the clock runs.
      ours: async () => ({
        quarterMb: await peakMb(QUARTER),
        peakMb: await peakMb(IN_GUEST),
        seconds: await secondsOf(() => download(IN_GUEST)),
      }),
      theirs: () =>
        secondsOf(() =>
          runPiped(
            [
              ['tar', '-C', mounted, '-cf', '-', IN_GUEST],
              ['gzip', '-6'],
            ],
            files.theirs,
            signal,
          ),
        ),
      compare: async () => {
        const unpacked = { ours: join(dir, 'ours'), theirs: join(dir, 'theirs') };
        for (const side of ['ours', 'theirs'] as const) {
          await mkdir(unpacked[side]);
          await run('tar', ['-C', unpacked[side], '-xzf', files[side]], signal);
        }
        await run('diff', ['--recursive', '--no-dereference', unpacked.ours, unpacked.theirs], signal);
        for (const side of ['ours', 'theirs'] as const) await rm(unpacked[side], { recursive: true });
      },
      describe: ({ ours, theirs }) =>
        `${ours.seconds.toFixed(2)} s against ${theirs.toFixed(2)} s, peak ${Math.round(ours.peakMb)} MB, of a quarter ${Math.round(ours.quarterMb)} MB`,
    });
    await world.unmount(mountId);
    return new Map([
      [STREAM, measured.map(({ ours, theirs }) => ({ ours: ours.seconds, baseline: theirs }))],
      [MEMORY, measured.map(({ ours }) => ({ ours: ours.peakMb, baseline: ours.quarterMb }))],
    ]);
  },
};
