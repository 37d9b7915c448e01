import type { StoredEvent } from '#domain/kernel/event';
import type { AnyProjection } from '#platform/projections/tables';

type Row = Record<string, unknown>;

/** The rows that projections make of events which touch no row made before. */
export class FoldedRows {
  private readonly parts: readonly { readonly projection: AnyProjection; readonly rows: Map<string, Row | null> }[];

  constructor(projections: readonly AnyProjection[]) {
    this.parts = projections.map((projection) => ({ projection, rows: new Map() }));
  }

  take(event: StoredEvent): void {
    for (const { projection, rows } of this.parts) {
      if (projection.handles !== 'all' && !projection.handles.includes(event.type)) continue;
      for (const key of projection.keysOf(event)) {
        rows.set(key, projection.evolve((rows.get(key) ?? null) as never, event, key));
      }
    }
  }

  /** As COPY takes them, for the tables behind the projections' views. */
  lines(): readonly { readonly view: string; readonly columns: string; readonly lines: readonly string[] }[] {
    return this.parts.map(({ projection, rows }) => {
      const { columns } = projection.table;
      const names = Object.keys(columns);
      const kept = [...rows.values()].filter((row) => row !== null);
      return {
        view: projection.name,
        columns: names.map((name) => `"${name}"`).join(', '),
        lines: kept.map((row) => `${names.map((name) => asText(row[name], columns[name])).join('\t')}\n`),
      };
    });
  }
}

function asText(value: unknown, type: string | undefined): string {
  if (value === null || value === undefined) return '\\N';
  const text = type !== 'jsonb' && typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');
}
