import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { FULL_DISK } from '../guests.js';
import type { Bench, BenchContext } from '../harness/bench.js';
import { createImage, serveForWriting } from '../harness/image-export.js';
import { interleaved } from '../harness/pairs.js';
import { run, secondsOf } from '../harness/programs.js';
import { speed } from '../harness/result.js';
import { type Job, secondsBetween, World } from '../harness/world.js';

const COPY = 'copy phase: agent told to start until the exports ended';
const WHOLE = 'whole job: accepted until completed';

interface Times {
  readonly copySeconds: number;
  readonly wholeSeconds: number;
}

/** A full backup of a 2 GiB disk with 1 GiB of data against nbdcopy from the same file to the same kind of export. */
export const backup: Bench = {
  name: 'backup',
  about: 'a full backup of a disk of 2 GiB that holds 1 GiB of data',
  cases: [
    {
      ...speed,
      name: COPY,
      baseline: 'nbdcopy --flush DISK.img nbd://127.0.0.1:PORT/bench (a fresh qcow2 served as OMA serves it)',
      goal: { is: 'at least', value: 0.9 },
    },
    {
      ...speed,
      name: WHOLE,
      baseline: 'the same nbdcopy, then openssl dgst -sha256 TARGET.qcow2',
      goal: { is: 'at least', value: 0.85 },
    },
  ],
  async run(context) {
    const world = await World.enter(context, [FULL_DISK]);
    const source = world.sourceOf(FULL_DISK);
    const target = join(context.dir, 'baseline', 'target.qcow2');
    await mkdir(join(context.dir, 'baseline'), { recursive: true });
    const measured = await interleaved(context, {
      ours: async () => {
        const { backup: point, job } = await world.backUp(FULL_DISK);
        return { image: world.imageOf(point), ...timesOf(job) };
      },
      theirs: () => copyByHand(context, source, target),
      restSeconds: 10,
      compare: async ({ ours }) => {
        for (const image of [ours.image, target]) {
          await run('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', source.file, image], context.signal);
        }
        // Both sides leave the filesystem as they found it.
        await rm(ours.image);
        await rm(target);
      },
      describe: ({ ours, theirs }) =>
        `copy ${ours.copySeconds.toFixed(2)} s against ${theirs.copySeconds.toFixed(2)} s, ` +
        `whole ${ours.wholeSeconds.toFixed(2)} s against ${theirs.wholeSeconds.toFixed(2)} s`,
    });
    return new Map([
      [COPY, measured.map(({ ours, theirs }) => ({ ours: ours.copySeconds, baseline: theirs.copySeconds }))],
      [WHOLE, measured.map(({ ours, theirs }) => ({ ours: ours.wholeSeconds, baseline: theirs.wholeSeconds }))],
    ]);
  },
};

function timesOf(job: Job): Times {
  const started = job.steps.find(({ step }) => step === 'agent')?.started_at;
  const ended = job.steps.filter(({ step }) => step.startsWith('finish:')).map(({ ended_at }) => ended_at ?? '');
  return {
    copySeconds: secondsBetween(started, ended.toSorted().at(-1)),
    wholeSeconds: secondsBetween(job.created_at, job.completed_at),
  };
}

async function copyByHand(
  context: BenchContext,
  source: { readonly file: string; readonly sizeBytes: number },
  target: string,
): Promise<Times> {
  const { signal } = context;
  await createImage(target, source.sizeBytes, null);
  const server = await serveForWriting(context, { file: target, beneath: [] });
  const copySeconds = await secondsOf(() => run('nbdcopy', ['--flush', source.file, server.uri], signal));
  const digestSeconds = await secondsOf(() => run('openssl', ['dgst', '-sha256', target], signal));
  await server.end();
  return { copySeconds, wholeSeconds: copySeconds + digestSeconds };
}
