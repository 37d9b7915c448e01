import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { isMounted } from '#platform/mounts/mount-table';
import { imageNode } from '#platform/qemu/node-graph';

import { FULL_DISK } from '../guests.js';
import type { Bench, BenchContext } from '../harness/bench.js';
import { nbdAnswers, serve } from '../harness/nbd-server.js';
import { interleaved } from '../harness/pairs.js';
import { run } from '../harness/programs.js';
import { type Backup, World } from '../harness/world.js';

const LISTING = 'mount until the first listing is answered';
/** Where the bench's disks have their only partition. */
const PARTITION_OFFSET_BYTES = 1024 * 1024;

interface Listing {
  readonly seconds: number;
  readonly names: readonly string[];
}

/** From `POST /restore/mount` to the first listing against the same chain of programs started by hand. */
export const mount: Bench = {
  name: 'mount',
  about: 'opening a restore point of 2 GiB for browsing',
  cases: [
    {
      name: LISTING,
      baseline:
        'qemu-nbd --read-only on a socket, nbdfuse on top, fuse2fs -o ro,offset=1048576 on top, ls of the root, each started when the one before serves',
      unit: 's',
      compared: ({ ours }) => ours,
      comparedIs: 'ours (s)',
      goal: { is: 'at most', value: 0.5 },
    },
  ],
  async run(context) {
    const world = await World.enter(context, [FULL_DISK]);
    const { backup } = await world.backUp(FULL_DISK);
    const image = world.imageOf(backup);
    const measured = await interleaved(context, {
      ours: () => mountByApi(world, backup),
      theirs: () => mountByHand(context, image),
      compare: ({ ours, theirs }) => {
        const [one, other] = [ours, theirs].map(({ names }) => JSON.stringify(names.toSorted()));
        return one === other ? Promise.resolve() : Promise.reject(new Error(`listed ${one ?? ''} and ${other ?? ''}`));
      },
      describe: ({ ours, theirs }) => `${ours.seconds.toFixed(3)} s against ${theirs.seconds.toFixed(3)} s`,
    });
    const pairs = measured.map(({ ours, theirs }) => ({ ours: ours.seconds, baseline: theirs.seconds }));
    return new Map([[LISTING, pairs]]);
  },
};

/** Every listing comes from a mount of its own, which is closed again outside of the time. */
async function mountByApi(world: World, backup: Backup): Promise<Listing> {
  const began = performance.now();
  const mountId = await world.mount(backup);
  const { files } = await world.api.get<{ files: { name: string }[] }>(`/restore/${mountId}/files?path=/`);
  const seconds = (performance.now() - began) / 1000;
  await world.unmount(mountId);
  return { seconds, names: files.map(({ name }) => name) };
}

async function mountByHand({ dir, leftovers }: BenchContext, image: string): Promise<Listing> {
  const place = { socket: join(dir, 'hand.sock'), disk: join(dir, 'hand-disk'), files: join(dir, 'hand-files') };
  await mkdir(place.disk, { recursive: true });
  await mkdir(place.files, { recursive: true });
  const uri = `nbd+unix:///disk?socket=${encodeURIComponent(place.socket)}`;
  const began = performance.now();
  const exporting = ['--read-only', '--persistent', '--shared=16', '--export-name=disk', `--socket=${place.socket}`];
  const server = await serve('qemu-nbd', [...exporting, imageNode(image)], () => nbdAnswers(uri), leftovers);
  const file = join(place.disk, 'nbd');
  const disk = await serve('nbdfuse', ['-r', file, uri], () => isMounted(place.disk), leftovers);
  const options = ['-f', '-o', `ro,offset=${PARTITION_OFFSET_BYTES}`];
  const files = await serve('fuse2fs', [file, place.files, ...options], () => isMounted(place.files), leftovers);
  const names = (await run('ls', ['-A', place.files])).trim().split('\n');
  const seconds = (performance.now() - began) / 1000;
  for (const [folder, served] of [[place.files, files] as const, [place.disk, disk] as const]) {
    await run('fusermount3', ['-u', folder]);
    await served.end();
  }
  await server.end();
  return { seconds, names };
}
