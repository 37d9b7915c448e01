import type { CheckStatus } from '#platform/projections/check-log';
import type { ProjectionStatus } from '#platform/projections/projection-progress.port';

const EXAMPLES = 5;

export function listLines(statuses: readonly ProjectionStatus[]): readonly string[] {
  return columns([
    ['PROJECTION', 'VERSION', 'GENERATION', 'STATUS'],
    ...statuses.map((one) => [one.name, String(one.version), String(one.generation), one.status]),
  ]);
}

export function statusLines(statuses: readonly ProjectionStatus[]): readonly string[] {
  const lines = columns([
    ['PROJECTION', 'VERSION', 'STATUS', 'POSITION', 'BEHIND', 'BUILDING'],
    ...statuses.map((one) => [
      one.name,
      `${one.version}.${one.generation}`,
      one.status,
      one.position === '' ? '-' : one.position.replace(/^0+(?=\d)/, ''),
      one.lagSeconds === 0 ? '-' : `${one.lagSeconds.toFixed(1)} s`,
      one.building === null
        ? '-'
        : `${one.building.version}.${one.building.generation} ${one.building.status}, ${one.building.events} events`,
    ]),
  ]);
  const stops = statuses.flatMap(({ name, error, stoppedEventId, building }) => [
    ...stopLines(name, error, stoppedEventId),
    ...stopLines(`the rebuild of ${name}`, building?.error ?? null, building?.stoppedEventId ?? null),
  ]);
  return [...lines, ...stops];
}

function stopLines(what: string, error: string | null, eventId: string | null): readonly string[] {
  return error === null ? [] : [`${what} stopped${eventId === null ? '' : ` at the event ${eventId}`}: ${error}`];
}

export function checkLines(checks: readonly CheckStatus[]): readonly string[] {
  const lines = columns([
    ['PROJECTION', 'RESULT', 'ROWS', 'MISSING', 'EXTRA', 'DIFFERENT'],
    ...checks.map(({ name, status, comparison }) =>
      comparison === null
        ? [name, status, '-', '-', '-', '-']
        : [
            name,
            comparison.missing + comparison.extra + comparison.different === 0 ? 'same' : 'differs',
            ...[comparison.rows, comparison.missing, comparison.extra, comparison.different].map(String),
          ],
    ),
  ]);
  const details = checks.flatMap(({ name, comparison, error }) => [
    ...(error === null ? [] : [`${name}: ${error}`]),
    ...(comparison?.examples ?? []).slice(0, EXAMPLES).map(({ key, kind, columns: names }) => {
      return `${name}: ${kind} ${JSON.stringify(key)}${names.length === 0 ? '' : ` (${names.join(', ')})`}`;
    }),
  ]);
  return [...lines, ...details];
}

function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
