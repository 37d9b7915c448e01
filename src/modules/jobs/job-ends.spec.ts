import { describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';

import type { ProjectionProgress } from '#platform/projections/projection-progress.port';

import { JobEnds } from './job-ends.js';

/** Deeper than any chain of promises in between. */
const DEPTHS = Array.from({ length: 16 }, (_, depth) => depth);

/** Jobs whose rows are looked at by nobody else. */
class FewJobs {
  readonly running = new Set<string>();
  readonly listeners = new Set<(name: string) => void>();
  looks = 0;
  onLook: () => void = () => undefined;

  get ends(): JobEnds {
    const find = () => {
      this.looks += 1;
      const found = [...this.running].map((jobId) => ({ jobId }));
      this.onLook();
      return Promise.resolve(found);
    };
    const rows = { getRepository: () => ({ find }) } as unknown as DataSource;
    const onAdvance = (listener: (name: string) => void) => {
      this.listeners.add(listener);
      return () => this.listeners.delete(listener);
    };
    return new JobEnds(rows, { onAdvance } as unknown as ProjectionProgress);
  }

  end(jobId: string): void {
    this.running.delete(jobId);
    for (const listener of this.listeners) listener('job');
  }
}

const NEVER = new AbortController().signal;
const seconds = async (work: Promise<void>): Promise<number> => {
  const began = performance.now();
  await work;
  return (performance.now() - began) / 1000;
};

describe('those who wait for a job to end', () => {
  it.each(DEPTHS)('hear of it also when it ends just as a look at it is over: %i steps later', async (depth) => {
    const jobs = new FewJobs();
    jobs.running.add('a');
    let end = Promise.resolve();
    jobs.onLook = () => {
      if (jobs.looks > 1) return;
      for (let step = 0; step < depth; step += 1) end = end.then(() => undefined);
      end = end.then(() => {
        jobs.end('a');
      });
    };
    expect(await seconds(jobs.ends.of('a', 1000, NEVER))).toBeLessThan(0.5);
  });

  it('are not kept when they go away', async () => {
    const jobs = new FewJobs();
    jobs.running.add('a');
    const { ends } = jobs;
    const going = new AbortController();
    const gone = seconds(ends.of('a', 60_000, going.signal));
    let isOver = false;
    const stays = ends.of('a', 60_000, NEVER).then(() => (isOver = true));
    going.abort();
    expect(await gone).toBeLessThan(1);
    expect(isOver).toBe(false);
    jobs.end('a');
    await stays;
    expect(jobs.listeners.size).toBe(0);
  });

  it('do not begin to wait when they are gone already', async () => {
    const jobs = new FewJobs();
    jobs.running.add('a');
    expect(await seconds(jobs.ends.of('a', 60_000, AbortSignal.abort()))).toBeLessThan(1);
    expect(jobs.listeners.size).toBe(0);
  });
});
