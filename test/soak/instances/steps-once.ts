import type pg from 'pg';

import type { Findings } from './findings.js';
import type { Started } from './started-programs.js';
import type { TwoInstances } from './two-instances.js';

/** Clocks of the database and of the recorders are the same, and are read to the millisecond. */
const SAME_MOMENT_MS = 1;

/**
 * Nothing may begin in the world for a step whose outcome is in the log; none may begin twice unless somebody was killed in
 * between; and no agent may be told twice.
 */
export async function everyStepOnce(world: TwoInstances, client: pg.Client, findings: Findings): Promise<void> {
  const { rows } = await client.query<{ stream: string; step: string; at: Date }>(
    `select stream, data->>'step' as step, recorded_at as at from es.event
      where type in ('EffectSucceeded', 'EffectFailed', 'EffectCancelled')`,
  );
  const outcomes = new Map(rows.map(({ stream, step, at }) => [`${stream} ${step}`, at.getTime()]));
  const isOver = (step: string, atMs: number) => atMs > (outcomes.get(step) ?? Infinity) + SAME_MOMENT_MS;
  const { starts } = world.programs;
  findings.blame(
    'a step was done again after its outcome',
    starts.flatMap(({ stream, step, atMs }) => (isOver(`${stream} ${step}`, atMs) ? [`${stream} ${step}`] : [])),
  );
  const again = begunAgain(starts);
  findings.blame(
    'a step was begun twice though nobody was killed meanwhile',
    again.flatMap(({ what, firstMs, atMs }) =>
      world.killedAtMs.some((killedMs) => killedMs > firstMs && killedMs < atMs) ? [] : [what],
    ),
  );
  const { orders } = world.agent;
  const accepted = orders.filter((order) => order.accepted).map(({ jobId }) => jobId);
  findings.blame(
    'an agent was told to copy twice',
    accepted.filter((jobId, index) => accepted.indexOf(jobId) !== index),
  );
  findings.blame(
    'an agent was told to copy after it had been',
    orders.flatMap(({ jobId, atMs }) => (isOver(`takebackup-${jobId} agent`, atMs) ? [jobId] : [])),
  );
  findings.count('effects', rows.length);
  findings.count('programs started', starts.length);
  findings.count('orders to the agent', orders.length);
  findings.count('begun again after a kill in the midst', again.length);
}

/** Starts of a program for a step that had been started for it before. */
function begunAgain(starts: readonly Started[]) {
  const last = new Map<string, number>();
  return starts.flatMap(({ program, stream, step, atMs }) => {
    const what = `${program} for ${stream} ${step}`;
    const firstMs = last.get(what);
    last.set(what, atMs);
    return firstMs === undefined ? [] : [{ what, firstMs, atMs }];
  });
}
