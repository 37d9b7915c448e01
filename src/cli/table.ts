import type { Position } from '#domain/kernel/event';
import type { CheckStatus, Standing } from '#platform/projections/check-log';
import type { BuildStatus, ProjectionStatus } from '#platform/projections/projection-progress.port';

import { verdictOn } from './verdict.js';

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
      one.position === '' ? '-' : shortly(one.position),
      one.lagSeconds === 0 ? '-' : `${one.lagSeconds.toFixed(1)} s`,
      one.building === null
        ? '-'
        : `${one.building.version}.${one.building.generation} ${one.building.status}, ${doneLine(one.building)}`,
    ]),
  ]);
  const stops = statuses.flatMap(({ name, error, stoppedEventId, building }) => [
    ...stopLines(name, error, stoppedEventId),
    ...stopLines(`the rebuild of ${name}`, building?.error ?? null, building?.stoppedEventId ?? null),
  ]);
  const skips = statuses
    .filter(({ skippedEvents }) => skippedEvents > 0)
    .map(
      ({ name, skippedEvents }) =>
        `${name}: ${skippedEvents} skipped in this version; rows made since lack them, and verify does not look for them`,
    );
  return [...lines, ...stops, ...skips];
}

/** How far a rebuild is, while somebody waits for it. */
export function buildingLine(name: string, build: BuildStatus): string {
  return `${name}: its rows are being built beside those that are read; ${doneLine(build)}`;
}

/** Events are counted when their page is stored, so that none are counted for a while; and some rows are made of none. */
function doneLine({ events, position }: BuildStatus): string {
  if (position === '') return 'nothing of the log is in them yet';
  return `the log was read up to ${shortly(position)}, and ${events} of its events are in them`;
}

function stopLines(what: string, error: string | null, eventId: string | null): readonly string[] {
  return error === null ? [] : [`${what} stopped${eventId === null ? '' : ` at the event ${eventId}`}: ${error}`];
}

export function checkLines(checks: readonly CheckStatus[]): readonly string[] {
  const lines = columns([
    ['PROJECTION', 'RESULT', 'ROWS', 'MISSING', 'EXTRA', 'DIFFERENT'],
    ...checks.map((check) => {
      const { rows = '-', missing = '-', extra = '-', different = '-' } = check.comparison ?? {};
      return [check.name, verdictOn(check), ...[rows, missing, extra, different].map(String)];
    }),
  ]);
  const details = checks.flatMap(({ name, comparison, error, position, standing }) => [
    ...(error === null ? [] : [`${name}: ${error}`]),
    ...standingLines(name, position ?? '', standing),
    ...(comparison?.examples ?? []).slice(0, EXAMPLES).map(({ key, kind, columns: names }) => {
      return `${name}: ${kind} ${JSON.stringify(key)}${names.length === 0 ? '' : ` (${names.join(', ')})`}`;
    }),
  ]);
  return [...lines, ...details];
}

/** How far what was compared falls short of the log; nothing where it doesn't. */
function standingLines(name: string, position: Position, standing: Standing | null): readonly string[] {
  if (standing === null || (!standing.stopped && standing.behind === 0)) return [];
  const { stopped, behind, head } = standing;
  const where = `${stopped ? 'stopped' : 'is only'} at ${shortly(position)}`;
  const rest = `the log goes on to ${shortly(head)} with ${String(behind)} more ${behind === 1 ? 'event' : 'events'} for it`;
  const remedy = stopped
    ? `"oma projections status ${name}" says why`
    : 'an OMA that runs takes them in; compare again then';
  return [`${name}: ${where}, and only up to there its rows were compared; ${rest}. ${remedy}`];
}

function shortly(position: Position): string {
  return position === '' ? 'the beginning' : position.replace(/^0+(?=\d)/, '');
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
