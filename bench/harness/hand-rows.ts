import { pipeline } from 'node:stream/promises';

import { from, to } from 'pg-copy-streams';

import type { EventMetadata, StoredEvent } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';
import { positionOf } from '#platform/event-store/postgres/codec';
import type { AnyProjection } from '#platform/projections/tables';

const PAGE = 2000;

type Row = Record<string, unknown>;

/** An event of the log as text, so that a million of them fit into memory. */
interface Line {
  readonly position: string;
  readonly stream: string;
  readonly revision: string;
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly metadata: string;
  readonly recorded_at: string;
}

/** What somebody writes by hand who fills a projection's table but once: pages of events, folded, and upserted by `unnest`. */
export class HandFold {
  private constructor(
    private readonly database: Database,
    private readonly projection: AnyProjection,
    private readonly lines: readonly Line[],
  ) {}

  /** Reads the events into memory, which isn't part of what is measured. */
  static async prepare(database: Database, projection: AnyProjection): Promise<HandFold> {
    const lines: Line[] = [];
    for (;;) {
      const page = await database.query<Line & Record<string, unknown>>(
        `select position, stream, revision, id, type, data::text, metadata::text, recorded_at::text from es.event
          where position > $1 and type = any($2) order by position limit ${10 * PAGE}`,
        [lines.at(-1)?.position ?? '0', projection.handles],
      );
      if (page.length === 0) return new HandFold(database, projection, lines);
      lines.push(...page);
    }
  }

  /** Fills the table, which is made for it; answers how many events it took. */
  async fill(table: string): Promise<number> {
    const { database, projection, lines } = this;
    await createFor(database, projection, table, true);
    const client = await database.pool.connect();
    try {
      const rows = new Map<string, Row | null>();
      for (let at = 0; at < lines.length; at += PAGE) {
        const touched = new Map<string, Row | null>();
        for (const line of lines.slice(at, at + PAGE)) {
          const event = storedFrom(line);
          for (const key of projection.keysOf(event)) {
            const row = projection.evolve((rows.get(key) ?? null) as never, event, key) as Row | null;
            rows.set(key, row);
            touched.set(key, row);
          }
        }
        const kept = [...touched.values()].filter((row) => row !== null);
        const { columns } = projection.table;
        await client.query({
          name: `fill ${table}`,
          text: upsertInto(table, projection),
          values: Object.entries(columns).map(([name, type]) =>
            kept.map((row) => (type === 'jsonb' && row[name] !== null ? JSON.stringify(row[name]) : row[name])),
          ),
        });
      }
    } finally {
      client.release();
    }
    await indexFor(database, projection, table);
    return lines.length;
  }
}

/** The rows of the audit by the database's own means: one COPY out of the log, another into the table, the indexes afterwards. */
export async function copyAudit(database: Database, projection: AnyProjection, table: string): Promise<void> {
  await createFor(database, projection, table, false);
  const [out, into] = [await database.pool.connect(), await database.pool.connect()];
  try {
    await pipeline(
      out.query(
        to(`copy (select id, lpad(position::text, 20, '0'), date_trunc('milliseconds', recorded_at), type, stream, revision, metadata->'actor'->>'kind',
              metadata->'actor'->>'id', metadata->>'correlationId', metadata->>'causationId', metadata->>'commandId',
              metadata->>'reason', data from es.event order by position) to stdout`),
      ),
      into.query(
        from(`copy ${table} (event_id, position, recorded_at, type, stream, revision, actor_kind, actor_id, correlation_id,
              causation_id, command_id, reason, data) from stdin`),
      ),
    );
  } finally {
    out.release();
    into.release();
  }
  await database.query(`alter table ${table} add primary key (${projection.table.key})`);
  await indexFor(database, projection, table);
}

async function createFor(database: Database, { name, table: shape }: AnyProjection, table: string, withKey: boolean) {
  await database.query(`drop table if exists ${table}`);
  await database.query(`create table ${table} as select * from "${name}" with no data`);
  for (const [column, type] of Object.entries(shape.columns)) {
    if (type === 'text') await database.query(`alter table ${table} alter "${column}" type text collate "C"`);
  }
  if (withKey) await database.query(`alter table ${table} add primary key (${shape.key})`);
}

async function indexFor(database: Database, { table: shape }: AnyProjection, table: string): Promise<void> {
  for (const fields of shape.indexes ?? []) await database.query(`create index on ${table} (${fields.join(', ')})`);
}

function upsertInto(table: string, { table: { key, columns } }: AnyProjection): string {
  const names = Object.keys(columns);
  const arrays = Object.values(columns).map((type, index) => `$${index + 1}::${type}[]`);
  const sets = names.filter((name) => name !== key).map((name) => `${name} = excluded.${name}`);
  return `insert into ${table} (${names.join(', ')}) select * from unnest(${arrays.join(', ')})
    on conflict (${key}) do update set ${sets.join(', ')}`;
}

function storedFrom(line: Line): StoredEvent {
  return {
    id: line.id,
    type: line.type,
    stream: line.stream,
    revision: BigInt(line.revision),
    position: positionOf(line.position),
    recordedAt: new Date(line.recorded_at),
    data: JSON.parse(line.data) as object,
    metadata: JSON.parse(line.metadata) as EventMetadata,
  };
}
