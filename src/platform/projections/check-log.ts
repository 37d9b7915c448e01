import type { Position } from '#domain/kernel/event';
import type { Database } from '#platform/database/database';

import type { Comparison } from './comparison.js';
import type { AnyProjection } from './tables.js';

const KEPT = '30 days';

/** Where live rows stood in the log when they were compared: whoever reads them sees nothing of what is behind them. */
export interface Standing {
  /** They stopped there, and don't go on by themselves. */
  readonly stopped: boolean;
  /** The head of the log when the comparison began. */
  readonly head: Position;
  /** How many events up to there they had yet to take. */
  readonly behind: number;
}

export interface Checked {
  /** Both were compared as they are after the event at this position. */
  readonly position: Position;
  readonly comparison: Comparison;
  readonly standing: Standing;
}

/** A comparison of live rows with the log: asked for, and later done. */
export interface CheckStatus {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly status: 'running' | 'done' | 'failed';
  readonly position: Position | null;
  readonly comparison: Comparison | null;
  /** Null of an older OMA's comparison too. */
  readonly standing: Standing | null;
  readonly error: string | null;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
}

interface Row {
  id: string;
  name: string;
  version: number;
  status: CheckStatus['status'];
  position: string | null;
  result: (Comparison & { readonly standing?: Standing }) | null;
  error: string | null;
  started_at: Date;
  ended_at: Date | null;
}

const COLUMNS = 'id, name, version, status, position, result, error, started_at, ended_at';

/** Asks for one; whichever process looks first does it. The same id again is the same one. */
export async function requestCheck(
  database: Database,
  { name, version }: AnyProjection,
  id: string,
): Promise<CheckStatus> {
  await database.query(`delete from projection_check where ended_at < now() - $1::interval`, [KEPT]);
  await database.query(
    `insert into projection_check (id, name, version, status) values ($1, $2, $3, 'running') on conflict do nothing`,
    [id, name, version],
  );
  const asked = await checkOf(database, id);
  if (asked === null) throw new Error(`the check ${id} was not written down`);
  return asked;
}

export async function checkOf(database: Database, id: string): Promise<CheckStatus | null> {
  const rows = await database.query<Row>(`select ${COLUMNS} from projection_check where id::text = $1`, [id]);
  return statusOf(rows)[0] ?? null;
}

export async function openChecks(database: Database): Promise<readonly CheckStatus[]> {
  return statusOf(await database.query<Row>(`select ${COLUMNS} from projection_check where status = 'running'`));
}

export async function endCheck(
  database: Database,
  id: string,
  checked: Checked | null,
  error: string | null,
): Promise<CheckStatus | null> {
  const result = checked === null ? null : { ...checked.comparison, standing: checked.standing };
  const rows = await database.query<Row>(
    `update projection_check set status = $2, position = $3, result = $4, error = $5, ended_at = now()
      where id = $1 and status = 'running' returning ${COLUMNS}`,
    [id, error === null ? 'done' : 'failed', checked?.position ?? null, result, error],
  );
  return statusOf(rows)[0] ?? null;
}

function statusOf(rows: readonly Row[]): readonly CheckStatus[] {
  return rows.map(({ result, started_at, ended_at, ...row }) => {
    const { standing = null, ...comparison } = result ?? {};
    return {
      ...row,
      comparison: result === null ? null : (comparison as Comparison),
      standing,
      startedAt: started_at,
      endedAt: ended_at,
    };
  });
}
