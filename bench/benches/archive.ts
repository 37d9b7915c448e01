import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pipeline } from 'node:stream/promises';

import { MountFolder } from '#platform/mounts/mount-folder';

import { FOLDER } from '../guests.js';
import type { Bench } from '../harness/bench.js';
import { BYTES_PER_MB, peakResidentBytes, residentBytes } from '../harness/memory.js';
import { interleaved } from '../harness/pairs.js';
import { run, runPiped, secondsOf } from '../harness/programs.js';
import { growth, speed } from '../harness/result.js';
import { World } from '../harness/world.js';

const STREAM = 'tar.gz of a folder, until its last byte';
const MEMORY = "peak of OMA's own memory during it";
const IN_GUEST = 'data';
const PARTITION = 1;
/** After the mount was opened, until what was needed only for that is given back. */
const REST_MS = 5000;

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
      name: MEMORY,
      baseline: `resident memory ${REST_MS / 1000} s after the mount was opened (VmRSS in /proc/PID/status)`,
      goal: { is: 'at most', value: 60 },
    },
  ],
  async run(context) {
    const { dir, signal } = context;
    const world = await World.enter(context, [FOLDER]);
    const { omaPid, omaDataDir } = world.stage;
    const { backup } = await world.backUp(FOLDER);
    const mountId = await world.mount(backup);
    const mounted = new MountFolder(join(omaDataDir, 'run'), mountId).filesystem(PARTITION);
    await pause(REST_MS, undefined, { signal });
    const idleMb = (await residentBytes(omaPid)) / BYTES_PER_MB;
    const files = { ours: join(dir, 'ours.tar.gz'), theirs: join(dir, 'theirs.tar.gz') };
    const download = `/restore/${mountId}/download-directory?path=/${IN_GUEST}&format=tar.gz`;
    const measured = await interleaved(context, {
      ours: async () => {
        let seconds = 0;
        const peak = await peakResidentBytes(omaPid, async () => {
          seconds = await secondsOf(async () => {
            await pipeline(await world.api.stream(download), createWriteStream(files.ours, { mode: 0o600 }));
          });
        });
        return { seconds, peakMb: peak / BYTES_PER_MB };
      },
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
        `${ours.seconds.toFixed(2)} s against ${theirs.toFixed(2)} s, peak ${Math.round(ours.peakMb)} MB, idle ${Math.round(idleMb)} MB`,
    });
    await world.unmount(mountId);
    return new Map([
      [STREAM, measured.map(({ ours, theirs }) => ({ ours: ours.seconds, baseline: theirs }))],
      [MEMORY, measured.map(({ ours }) => ({ ours: ours.peakMb, baseline: idleMb }))],
    ]);
  },
};
