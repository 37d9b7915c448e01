/** One line of the audit trail as the API gives it. */
export interface AuditRow {
  readonly position: string;
  readonly event_id: string;
  readonly type: string;
  readonly stream: string;
  readonly actor: { readonly kind: string; readonly id: string };
  readonly causation_id: string;
  readonly recorded_at: string;
}

/** Event types with how often they came. */
export function countEvents(rows: readonly AuditRow[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const row of rows) counts[row.type] = (counts[row.type] ?? 0) + 1;
  return counts;
}

/** The trail in columns; what led to an event is named where it is an event of the trail itself, else it was a request. */
export function trailLines(rows: readonly AuditRow[]): readonly string[] {
  const types = new Map(rows.map((row) => [row.event_id, row.type]));
  return rows.map((row) => {
    const when = row.recorded_at.slice(11, 23);
    const who = `${row.actor.kind} ${row.actor.id.slice(0, 13)}`.padEnd(22);
    const cause = types.get(row.causation_id) ?? 'a request';
    return `${when}  ${who} ${row.type.padEnd(24)} because of ${cause}`;
  });
}
