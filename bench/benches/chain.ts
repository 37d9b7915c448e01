import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { seededBytes } from '#lab/guests/seeded-bytes';
import { NbdClient } from '#lab/nbd/nbd-client';

import type { Bench, BenchContext } from '../harness/bench.js';
import { type Chain, createImage, serveAsMounted, serveForWriting } from '../harness/image-export.js';
import { interleaved } from '../harness/pairs.js';
import { run, secondsOf } from '../harness/programs.js';
import { speed } from '../harness/result.js';

const READ = 'reading a disk through a chain of 30 increments';
const INCREMENTS = 30;
const MIB = 1024 * 1024;
const CLUSTER_BYTES = 64 * 1024;
const DISK_BYTES = 1024 * MIB;
const DATA_BYTES = 512 * MIB;
const RUNS_PER_INCREMENT = 128;
const RUN_BYTES = 128 * 1024;

/** Where an increment changes the disk, and to what. */
interface Change {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** A chain opened as OMA's mounts open it, read from beginning to end, against one image of the same content. */
export const chain: Bench = {
  name: 'chain',
  about: `a disk of 1 GiB with 512 MiB of data, and ${INCREMENTS} increments that change 128 runs of 128 KiB each at seeded places`,
  cases: [
    {
      ...speed,
      name: READ,
      baseline:
        'nbdcopy "nbd+unix:///disk?socket=SOCKET" null: with a single full image of the same content beneath the overlay',
      goal: { is: 'at least', value: 0.5 },
    },
  ],
  async run(context) {
    const { dir, signal, scale } = context;
    const disk = join(dir, 'disk.img');
    const dataBytes = Math.ceil((DATA_BYTES * scale) / MIB) * MIB;
    const sizeBytes = Math.ceil((DISK_BYTES * scale) / MIB) * MIB;
    context.tell(`making a full image and ${INCREMENTS} increments`);
    await makeDisk(disk, sizeBytes, dataBytes);
    const long = await makeChain(context, disk, sizeBytes, dataBytes);
    const flat = await makeFull(context, disk, sizeBytes, join(dir, 'flat.qcow2'));
    const [ours, theirs] = await Promise.all([long, flat].map((one, index) => mounted(context, one, sizeBytes, index)));
    if (ours === undefined || theirs === undefined) throw new Error('there are two images');
    const read = (uri: string) => secondsOf(() => run('nbdcopy', [uri, 'null:'], signal));
    const measured = await interleaved(context, {
      ours: () => read(ours),
      theirs: () => read(theirs),
      compare: async () => {
        for (const uri of [ours, theirs])
          await run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', disk, uri], signal);
      },
      describe: (pair) => `${pair.ours.toFixed(3)} s against ${pair.theirs.toFixed(3)} s`,
    });
    return new Map([[READ, measured.map((pair) => ({ ours: pair.ours, baseline: pair.theirs }))]]);
  },
};

async function mounted(context: BenchContext, image: Chain, sizeBytes: number, number: number): Promise<string> {
  const overlay = join(context.dir, `overlay-${number}.qcow2`);
  await createImage(overlay, sizeBytes, null);
  return (await serveAsMounted(context, image, overlay)).uri;
}

async function makeDisk(disk: string, sizeBytes: number, dataBytes: number): Promise<void> {
  const file = await open(disk, 'w', 0o600);
  try {
    await file.truncate(sizeBytes);
    for (let at = 0; at < dataBytes; at += MIB) await file.write(seededBytes(`full ${at}`, MIB), 0, MIB, at);
  } finally {
    await file.close();
  }
}

async function makeFull(context: BenchContext, disk: string, sizeBytes: number, file: string): Promise<Chain> {
  const image = { file, beneath: [] };
  await createImage(file, sizeBytes, null);
  const server = await serveForWriting(context, image);
  await run('nbdcopy', ['--flush', disk, server.uri], context.signal);
  await server.end();
  return image;
}

/** Each increment is written through an export like a backup's; the disk changes with it. */
async function makeChain(context: BenchContext, disk: string, sizeBytes: number, dataBytes: number): Promise<Chain> {
  let newest = await makeFull(context, disk, sizeBytes, join(context.dir, 'layer-0.qcow2'));
  const source = await open(disk, 'r+');
  try {
    for (let number = 1; number <= INCREMENTS; number++) {
      const file = join(context.dir, `layer-${number}.qcow2`);
      await createImage(file, sizeBytes, basename(newest.file));
      newest = { file, beneath: [...newest.beneath, newest.file] };
      const server = await serveForWriting(context, newest);
      const client = await NbdClient.connect({ host: '127.0.0.1', ...server }, context.signal);
      for (const { offset, bytes } of changes(number, dataBytes)) {
        await source.write(bytes, 0, bytes.length, offset);
        await client.write(offset, bytes);
      }
      await client.flush();
      await client.disconnect();
      await server.end();
    }
  } finally {
    await source.close();
  }
  return newest;
}

function changes(increment: number, dataBytes: number): readonly Change[] {
  const places = seededBytes(`places ${increment}`, RUNS_PER_INCREMENT * 4);
  const clusters = (dataBytes - RUN_BYTES) / CLUSTER_BYTES + 1;
  return Array.from({ length: RUNS_PER_INCREMENT }, (_, index) => ({
    offset: (places.readUInt32BE(index * 4) % clusters) * CLUSTER_BYTES,
    bytes: seededBytes(`change ${increment} ${index}`, RUN_BYTES),
  }));
}
