import type { JsonObject } from '#domain/kernel/event';
import type { RetryRule } from '#domain/kernel/saga';
import type { Database } from '#platform/database/database';
import type { InstanceIdentity } from '#platform/instances/instance-id';

/** An effect that this worker may do now. */
export interface LeasedEffect {
  readonly effectId: string;
  readonly stream: string;
  readonly step: string;
  readonly kind: string;
  readonly args: JsonObject;
  readonly timeoutSeconds: number;
  readonly retry: RetryRule;
  readonly correlationId: string;
  readonly requestedEventId: string;
  readonly state: 'pending' | 'cancelling';
  /** 1 for the first time anybody tries. */
  readonly attempt: number;
  /** How many attempts ended in a transient failure; crashes don't count. */
  readonly failures: number;
  /** The instance whose machine it concerns was given up, and this is another one. */
  readonly homeIsGone: boolean;
  /** When the lease runs out by this process's own clock: counted from before the database was asked. */
  readonly leasedUntil: number;
}

interface DueRow {
  effect_id: string;
  stream: string;
  step: string;
  kind: string;
  args: JsonObject;
  timeout_seconds: number;
  retry: RetryRule & JsonObject;
  correlation_id: string;
  requested_event_id: string;
  state: 'pending' | 'cancelling';
  resource: string;
  home_is_gone: boolean;
}

const UNIQUE_VIOLATION = '23505';
/** What nobody ever began is cancelled without touching its resource, whoever holds that; also where that is tried again. */
const RESOURCE = `case when e.state = 'cancelling' and coalesce(l.resource = 'effect:' || e.effect_id, l.effect_id is null)
    then 'effect:' || e.effect_id else e.resource end`;
const DUE = `with oldest as (
    select distinct on (resource) e.effect_id, e.kind, e.state, e.requested_at, ${RESOURCE} as resource,
           h.instance_id as alive_home
      from effect e left join effect_lease l on l.effect_id = e.effect_id
           left join instance h on h.instance_id = e.home
     where e.state in ('pending', 'cancelling')
       and (l.effect_id is null
            or (l.state = 'waiting' and (l.run_after <= now() or e.state = 'cancelling'))
            or (l.state = 'running' and l.leased_until < now()))
       and e.effect_id <> all($2::uuid[])
       and (e.home is null or e.home = $3 or h.instance_id is null
            or (h.alive_until < now() and e.kind = any($4::text[])))
       and not exists (select 1 from effect_lease o
                        where o.resource = ${RESOURCE} and o.state <> 'settled' and o.effect_id <> e.effect_id)
     order by resource, e.requested_at, e.effect_id),
  placed as (
    select o.effect_id, o.resource, o.alive_home, coalesce(p.places, $1) as places,
           row_number() over (partition by p.kind order by o.requested_at, o.effect_id) as place
      from oldest o left join unnest($5::text[], $6::int[]) as p (kind, places)
             on p.kind = o.kind and o.state = 'pending')
  select e.effect_id, e.stream, e.step, e.kind, e.args, e.timeout_seconds, e.retry, e.correlation_id,
         e.requested_event_id, e.state, p.resource,
         e.home is not null and e.home <> $3 and p.alive_home is null as home_is_gone
    from placed p join effect e on e.effect_id = p.effect_id
   where p.place <= p.places
   order by e.requested_at, e.effect_id`;

/** Who may do which effect. A lease is renewed while its worker lives and can be taken over once it has run out. */
export class Leases {
  /** Of this start: a restarted process is somebody else. */
  private readonly owner: string;

  constructor(
    private readonly database: Database,
    private readonly identity: InstanceIdentity,
    readonly leaseSeconds: number,
    /** Kinds of effects that concern no machine. */
    private readonly anywhere: readonly string[] = [],
  ) {
    this.owner = `${identity.instanceId}/${identity.startId}`;
  }

  /**
   * Leases up to `limit` due effects of this instance, oldest first, and answers each as soon as it has it; of those on one
   * resource the oldest alone. Of another instance, what concerns no machine while that one isn't alive, and everything once
   * it was given up. `busy` are those still under way here: their leases may have run out while the database was away, and yet
   * nobody here may begin them again. Of the kinds in `own` up to so many each, beside the others;
   * but what is only to be cancelled is short, whatever its kind.
   */
  async *take(
    limit: number,
    busy: readonly string[] = [],
    own: ReadonlyMap<string, number> = new Map(),
  ): AsyncGenerator<LeasedEffect> {
    const { rows: due } = await this.database.pool.query<DueRow>({
      name: 'due effects',
      text: DUE,
      values: [limit, busy, this.identity.instanceId, this.anywhere, [...own.keys()], [...own.values()]],
    });
    for (const row of due) {
      const leasedUntil = performance.now() + this.leaseSeconds * 1000;
      const lease = await this.takeOne(row);
      if (lease !== null && (await this.isStillDue(row.effect_id))) yield leased(row, lease, leasedUntil);
    }
  }

  private async takeOne(row: DueRow): Promise<{ attempt: number; failures: number } | null> {
    try {
      const [lease] = await this.database.prepared<{ attempt: number; failures: number }>(
        `insert into effect_lease as l (effect_id, resource, owner, state, attempt, leased_until)
         values ($1, $2, $3, 'running', 1, now() + make_interval(secs => $4))
         on conflict (effect_id) do update
            set resource = $2, owner = $3, state = 'running', attempt = l.attempt + 1, run_after = null,
                leased_until = now() + make_interval(secs => $4)
          where l.state = 'waiting' or (l.state = 'running' and l.leased_until < now())
         returning attempt, failures`,
        [row.effect_id, row.resource, this.owner, this.leaseSeconds],
      );
      return lease ?? null;
    } catch (error) {
      // Another worker took the resource between the look and the insert.
      if ((error as { code?: string }).code === UNIQUE_VIOLATION) return null;
      throw error;
    }
  }

  /**
   * Between the look and the lease somebody else may have brought the effect to its end, and its undoing too. Asked with
   * the lease in hand: from here on the answer can't change.
   */
  private async isStillDue(effectId: string): Promise<boolean> {
    const due = await this.database.prepared(
      `with ended as (
         delete from effect_lease l using effect e
          where l.effect_id = $1 and e.effect_id = l.effect_id and e.state not in ('pending', 'cancelling')
          returning l.effect_id)
       select from effect_lease where effect_id = $1 and owner = $2 and effect_id not in (select effect_id from ended)`,
      [effectId, this.owner],
    );
    return due.length > 0;
  }

  /** Removes leases that ran out on effects that have ended: who took one died before it saw that, and it would hold the resource for ever. */
  async clear(): Promise<void> {
    await this.database.query(
      `delete from effect_lease l using effect e
        where l.state = 'running' and l.leased_until < now()
          and e.effect_id = l.effect_id and e.state not in ('pending', 'cancelling')`,
    );
  }

  /** Extends the leases of what runs here; answers those that are still ours. */
  async renew(effectIds: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.database.prepared<{ effect_id: string }>(
      `update effect_lease set leased_until = now() + make_interval(secs => $3)
        where effect_id = any($1::uuid[]) and owner = $2 returning effect_id`,
      [effectIds, this.owner, this.leaseSeconds],
    );
    return new Set(rows.map((row) => row.effect_id));
  }

  /** Those of the running effects that somebody wants cancelled. */
  async cancelled(effectIds: readonly string[]): Promise<readonly string[]> {
    const rows = await this.database.prepared<{ effect_id: string }>(
      `select effect_id from effect where effect_id = any($1::uuid[]) and state = 'cancelling'`,
      [effectIds],
    );
    return rows.map((row) => row.effect_id);
  }

  /** Puts a failed attempt off. */
  async postpone(effectId: string, delayMs: number): Promise<void> {
    await this.database.query(
      `update effect_lease
          set state = 'waiting', failures = failures + 1, run_after = now() + make_interval(secs => $3)
        where effect_id = $1 and owner = $2`,
      [effectId, this.owner, delayMs / 1000],
    );
  }

  /**
   * The outcome is in the log, and the resource is free for the next effect. The row stays until the projection has seen the
   * outcome, so that nobody begins this one again in between, however late it is; where the projection was faster, the row is
   * nobody's any more and goes here.
   */
  async settle(effectId: string): Promise<void> {
    await this.database.prepared(`update effect_lease set state = 'settled' where effect_id = $1 and owner = $2`, [
      effectId,
      this.owner,
    ]);
    await this.database.prepared(
      `delete from effect_lease l using effect e
        where l.effect_id = $1 and e.effect_id = l.effect_id and e.state not in ('pending', 'cancelling')`,
      [effectId],
    );
  }

  /** Gives up what this owner holds, at once: an orderly stop. What is still under way keeps its lease. */
  async release(busy: readonly string[] = []): Promise<void> {
    await this.database.query(
      `update effect_lease set leased_until = now()
        where owner = $1 and state = 'running' and effect_id <> all($2::uuid[])`,
      [this.owner, busy],
    );
  }

  /** Ends the leases of this instance's earlier starts, all of which are dead. */
  async succeed(): Promise<number> {
    const ended = await this.database.query(
      `update effect_lease set leased_until = now() - interval '1 second'
        where split_part(owner, '/', 1) = $1 and owner <> $2 and state = 'running' returning effect_id`,
      [this.identity.instanceId, this.owner],
    );
    return ended.length;
  }
}

function leased(row: DueRow, lease: { attempt: number; failures: number }, leasedUntil: number): LeasedEffect {
  return {
    effectId: row.effect_id,
    stream: row.stream,
    step: row.step,
    kind: row.kind,
    args: row.args,
    timeoutSeconds: row.timeout_seconds,
    retry: row.retry,
    correlationId: row.correlation_id,
    requestedEventId: row.requested_event_id,
    state: row.state,
    attempt: lease.attempt,
    failures: lease.failures,
    homeIsGone: row.home_is_gone,
    leasedUntil,
  };
}
