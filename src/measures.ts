import type { Database } from './platform/database/database.js';
import type { Metrics, Sample } from './platform/metrics/metrics.port.js';
import type { ProjectionRunner } from './platform/projections/projection-runner.js';
import type { Attempted, EffectWorker } from './platform/sagas/effect-worker.js';

const EFFECT_SECONDS = [0.01, 0.05, 0.25, 1, 5, 30, 120, 600, 3600, 14_400];

const OUTCOMES = ['succeeded', 'failed', 'again', 'cancelled', 'interrupted'] satisfies Attempted['outcome'][];

/** What is counted as it happens, and what is looked up; see docs/operations.md for what each of them means. */
export function measure(
  metrics: Metrics,
  parts: {
    readonly database: Database;
    readonly runner: Pick<ProjectionRunner, 'onAdvance' | 'status'>;
    readonly worker: Pick<EffectWorker, 'onAttempt' | 'kinds'>;
  },
): void {
  measureProjections(metrics, parts.runner);
  measureEffects(metrics, parts.worker);
  watchTables(metrics, parts.database);
}

function measureProjections(metrics: Metrics, runner: Pick<ProjectionRunner, 'onAdvance' | 'status'>): void {
  const events = metrics.count({
    name: 'oma_projection_events_total',
    help: 'Events that this process brought into a projection',
    labels: ['projection'],
  });
  runner.onAdvance((projection, taken) => {
    events.add({ projection }, taken);
  });
  metrics.watch(
    'projections',
    {
      lag: {
        name: 'oma_projection_lag_seconds',
        help: 'Age of the oldest event that a projection has not looked at; 0 when it has caught up',
        labels: ['projection'],
      },
      state: {
        name: 'oma_projection_state',
        help: '1 for the state that a projection is in',
        labels: ['projection', 'state'],
      },
    },
    async () => {
      const all = await runner.status();
      return {
        lag: all.map(({ name, lagSeconds }) => ({ labels: { projection: name }, value: lagSeconds })),
        state: all.map(({ name, status }) => ({ labels: { projection: name, state: status }, value: 1 })),
      };
    },
  );
}

function measureEffects(metrics: Metrics, worker: Pick<EffectWorker, 'onAttempt' | 'kinds'>): void {
  const attempts = metrics.count({
    name: 'oma_effect_attempts_total',
    help: 'Attempts at effects by this process: succeeded, failed, again (to be tried again), cancelled, interrupted',
    labels: ['kind', 'outcome'],
  });
  const seconds = metrics.spread(
    {
      name: 'oma_effect_attempt_duration_seconds',
      help: 'How long attempts at effects took, whatever became of them',
      labels: ['kind'],
    },
    EFFECT_SECONDS,
  );
  // An increase is seen only of what was there before.
  for (const kind of worker.kinds) for (const outcome of OUTCOMES) attempts.add({ kind, outcome }, 0);
  worker.onAttempt(({ kind, outcome, seconds: taken }) => {
    attempts.add({ kind, outcome });
    seconds.observe(taken, { kind });
  });
}

/** Each is answered from an index or a small table, whatever the size of the log. */
function watchTables(metrics: Metrics, database: Database): void {
  const tally = async (sql: string): Promise<readonly Sample[]> => {
    const rows = await database.query<Record<string, string>>(sql);
    return rows.map(({ value, ...labels }) => ({ labels, value: Number(value) }));
  };
  metrics.watch(
    'sagas',
    {
      sagas: {
        name: 'oma_sagas',
        help: 'Sagas by kind and state: open, or how they ended',
        labels: ['saga', 'state'],
      },
    },
    async () => ({ sagas: await tally(SAGAS) }),
  );
  metrics.watch(
    'effects',
    {
      open: {
        name: 'oma_effects_open',
        help: 'Effects without an outcome: pending, or cancelling',
        labels: ['kind', 'state'],
      },
    },
    async () => ({
      open: await tally(
        `select kind, state, count(*) as value from effect where state in ('pending', 'cancelling') group by kind, state`,
      ),
    }),
  );
  metrics.watch(
    'jobs',
    { jobs: { name: 'oma_jobs', help: 'Jobs by type and status', labels: ['type', 'status'] } },
    async () => ({
      jobs: await tally(`select job_type as type, status, count(*) as value from job group by job_type, status`),
    }),
  );
  metrics.watch('exports', { open: { name: 'oma_exports_open', help: 'Exports that hold a port' } }, async () => ({
    open: await tally(`select count(*) as value from nbd_export where port is not null`),
  }));
  metrics.watch(
    'mounts',
    { open: { name: 'oma_mounts_open', help: 'Mounts that are not closed, by status', labels: ['status'] } },
    async () => ({
      open: await tally(
        `select status, count(m.mount_id) as value from unnest(array['mounting', 'mounted', 'unmounting']) as status
           left join mount m using (status) group by status`,
      ),
    }),
  );
}

const SAGAS = `
  select saga, 'open' as state,
         sum(case when what = 'begun' then sagas else -sagas end) as value from saga_tally group by saga
  union all
  select saga, what, sagas from saga_tally where what <> 'begun'`;
