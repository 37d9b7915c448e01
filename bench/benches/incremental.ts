import { stat } from 'node:fs/promises';

import { seededBytes } from '#lab/guests/seeded-bytes';
import { imageNode } from '#platform/qemu/node-graph';

import { CHANGING } from '../guests.js';
import type { Bench } from '../harness/bench.js';
import { run } from '../harness/programs.js';
import type { Pair } from '../harness/result.js';
import { World } from '../harness/world.js';

const SIZE = 'size of the image of an increment with 64 MiB dirty';
const MIB = 1024 * 1024;
const RUN_BYTES = MIB / 2;
const RUNS = 128;
/** Header and tables, which an increment needs however little it holds. */
const ALLOWED_BYTES = MIB;

/** What an increment writes against what the guest wrote since the point before it. */
export const incremental: Bench = {
  name: 'incremental',
  about: `increments of a disk of 1 GiB in which the guest rewrote ${RUNS} runs of 512 KiB, aligned, at seeded places`,
  cases: [
    {
      name: SIZE,
      baseline: 'the bytes that the guest wrote',
      unit: 'bytes',
      compared: ({ ours, baseline }) => (ours - ALLOWED_BYTES) / baseline,
      comparedIs: '(ours - 1 MiB) / baseline',
      goal: { is: 'at most', value: 1.05 },
    },
  ],
  async run(context) {
    const world = await World.enter(context, [CHANGING]);
    const source = world.sourceOf(CHANGING);
    const { backup: full } = await world.backUp(CHANGING);
    const layers = [world.imageOf(full)];
    const pairs: Pair[] = [];
    while (pairs.length < context.pairs) {
      const number = pairs.length + 1;
      const places = placesOf(number, source.sizeBytes, Math.ceil(RUNS * context.scale));
      for (const offset of places) {
        await world.write(CHANGING, offset, seededBytes(`increment ${number} ${offset}`, RUN_BYTES));
      }
      const { backup } = await world.backUp(CHANGING, 'incremental');
      const image = world.imageOf(backup);
      const { size, blocks } = await stat(image);
      // What a file is long counts, holes included, unless it takes even more on the disk.
      pairs.push({ ours: Math.max(size, blocks * 512), baseline: places.length * RUN_BYTES });
      const raw = `json:${JSON.stringify({ driver: 'raw', file: { driver: 'file', filename: source.file } })}`;
      await run('qemu-img', ['compare', raw, imageNode(image, layers)], context.signal);
      layers.push(image);
      context.tell(`increment ${number} of ${context.pairs}: ${size} bytes for ${places.length * RUN_BYTES}`);
    }
    return new Map([[SIZE, pairs]]);
  },
};

/** Different places, each a whole number of runs from the beginning. */
function placesOf(increment: number, sizeBytes: number, count: number): readonly number[] {
  const random = seededBytes(`places ${increment}`, count * 16);
  const places = new Set<number>();
  for (let at = 0; at < random.length && places.size < count; at += 4) {
    places.add((random.readUInt32BE(at) % Math.floor(sizeBytes / RUN_BYTES)) * RUN_BYTES);
  }
  return [...places];
}
