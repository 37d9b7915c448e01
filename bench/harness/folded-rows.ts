import type { StoredEvent } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';
import type { AnyProjection } from '#platform/projections/tables';
import { loadRows } from '#platform/projections/writer';

import { ID } from './recorded-life.js';

type Row = Record<string, unknown>;

interface Part {
  readonly projection: AnyProjection;
  readonly rows: Map<string, Row | null>;
}

/** Rows for the table behind a projection's view, as COPY takes them. */
export interface RowLines {
  readonly projection: AnyProjection;
  readonly columns: string;
  readonly keys: readonly string[];
  readonly lines: readonly string[];
}

const HAS_ID = new RegExp(ID.source);

/** The rows that projections make of the lives of VMs: each VM's own, and those that count something over all of them. */
export class FoldedRows {
  private constructor(private readonly parts: readonly Part[]) {}

  /** Rows that are about nobody in particular are there already and grow. */
  static async on(
    database: Database,
    projections: readonly AnyProjection[],
    tableOf: ReadonlyMap<string, string>,
  ): Promise<FoldedRows> {
    const parts: Part[] = [];
    for (const projection of projections) {
      const { key } = projection.table;
      const found = await database.query<{ key: string }>(`select "${key}"::text as key from "${projection.name}"`);
      const keys = found.map((row) => row.key).filter((one) => !HAS_ID.test(one));
      const table = tableOf.get(projection.name) ?? projection.name;
      const rows = await loadRows(database.pool, projection, table, keys);
      parts.push({ projection, rows: new Map(rows) });
    }
    return new FoldedRows(parts);
  }

  take(event: StoredEvent): void {
    for (const { projection, rows } of this.parts) {
      if (projection.handles !== 'all' && !projection.handles.includes(event.type)) continue;
      for (const key of projection.keysOf(event)) {
        rows.set(key, projection.evolve((rows.get(key) ?? null) as never, event, key));
      }
    }
  }

  /** The rows of VMs whose lives are over; they are forgotten. */
  ended(): readonly RowLines[] {
    return this.parts.map(({ projection, rows }) => {
      const own = [...rows].filter(([key]) => HAS_ID.test(key));
      for (const [key] of own) rows.delete(key);
      return linesOf(projection, own);
    });
  }

  /** The rows that are about nobody in particular. */
  common(): readonly RowLines[] {
    return this.parts.map(({ projection, rows }) => linesOf(projection, [...rows]));
  }
}

function linesOf(projection: AnyProjection, rows: readonly (readonly [string, Row | null])[]): RowLines {
  const { columns } = projection.table;
  const names = Object.keys(columns);
  return {
    projection,
    columns: names.map((name) => `"${name}"`).join(', '),
    keys: rows.map(([key]) => key),
    lines: rows.flatMap(([, row]) =>
      row === null ? [] : [`${names.map((name) => asText(row[name], columns[name])).join('\t')}\n`],
    ),
  };
}

function asText(value: unknown, type: string | undefined): string {
  if (value === null || value === undefined) return '\\N';
  const text = type !== 'jsonb' && typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');
}
