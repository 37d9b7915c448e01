import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { tableOf } from '#platform/projections/tables';
import { backupProjection } from '#projections/backup/backup.projection';
import { credentialProjection } from '#projections/credential/credential.projection';
import { vmContextProjection } from '#projections/inventory/vm-context.projection';
import { jobProjection } from '#projections/jobs/job.projection';
import { repositoryProjection } from '#projections/repository/repository.projection';
import { mountProjection } from '#projections/restore/mount.projection';
import { userProjection } from '#projections/access/user.projection';

import type { Json } from '../kit/api-client.js';
import { all } from '../kit/events.js';
import { OutsideWriter } from '../kit/outside-writer.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';
import { POSITION_AHEAD } from '../kit/store-settings.js';

type Shape = Readonly<Record<string, string>>;

interface List {
  readonly path: string;
  /** Member that holds the rows; null for a bare array, whose next page is in `Link`. */
  readonly member: string | null;
  readonly id: string;
  readonly projection: {
    readonly name: string;
    readonly version: number;
    readonly table: { readonly columns: object };
  };
  /** What a row has of its own, beside its id: several rows share it, so that the order has to be made whole by the id. */
  readonly row: (number: number) => Json;
}

const moment = (number: number) => new Date(Date.UTC(2026, 0, 1, 0, Math.floor(number / 3))).toISOString();
const ABOUT_BACKUP = { status: 'completed', backup_type: 'full', asked_for: 'full', tags: '{}' };
const LISTS: readonly List[] = [
  {
    path: '/users',
    member: 'users',
    id: 'id',
    projection: userProjection,
    row: (n) => ({ user_id: `u${n}`, username: `n${n % 5}`, role: 'viewer' }),
  },
  {
    path: '/vm-contexts',
    member: 'vm_contexts',
    id: 'context_id',
    projection: vmContextProjection,
    row: (n) => ({ context_id: `c${n}`, vm_name: `n${n % 5}`, current_status: 'discovered', os_type: 'linux' }),
  },
  {
    path: '/vmware-credentials',
    member: 'credentials',
    id: 'id',
    projection: credentialProjection,
    row: (n) => ({ id: `k${n}`, credential_id: 1000 + n }),
  },
  {
    path: '/repositories',
    member: null,
    id: 'id',
    projection: repositoryProjection,
    row: (n) => ({ repository_id: `r${n}`, name: `n${n % 5}`, type: 'local' }),
  },
  {
    path: '/jobs',
    member: 'jobs',
    id: 'job_id',
    projection: jobProjection,
    row: (n) => ({ job_id: `j${n}`, created_at: moment(n), job_type: 'backup', status: 'completed' }),
  },
  {
    path: '/backup/list',
    member: 'backups',
    id: 'backup_id',
    projection: backupProjection,
    row: (n) => ({ backup_id: `b${n}`, created_at: moment(n), ...ABOUT_BACKUP }),
  },
  {
    path: '/restore/mounts',
    member: 'mounts',
    id: 'mount_id',
    projection: mountProjection,
    row: (n) => ({ mount_id: `m${n}`, created_at: moment(n), status: 'mounting' }),
  },
];
const ROWS = 47;

describe('lists', () => {
  let oma: RunningOma;
  let client: pg.Client;

  beforeAll(async () => {
    oma = await runningOma();
    client = new pg.Client({ connectionString: oma.databaseUrl });
    await client.connect();
  }, 60_000);

  afterAll(async () => {
    // Nothing stands behind these: a clean stop would wait for them to close.
    await client.query(`delete from ${tableOf({ ...mountProjection, generation: 1 })}`);
    await client.end();
    await oma.clear();
  });

  const insert = async ({ projection, row }: List, number: number) => {
    const values: Json = { ...blank(projection.table.columns as Shape), ...row(number) };
    const names = Object.keys(values);
    await client.query(
      `insert into ${tableOf({ ...projection, generation: 1 })} (${names.map((name) => `"${name}"`).join(', ')})
       values (${names.map((_, index) => `$${index + 1}`).join(', ')})`,
      Object.values(values),
    );
  };
  const page = async ({ path, member }: List, next: string) => {
    const { status, body, headers } = await oma.api.get(next === '' ? `${path}?limit=4` : next);
    expect(status).toBe(200);
    const rows = (member === null ? body : body[member]) as Json[];
    const link = /<([^>]+)>; rel="next"/.exec(headers.get('link') ?? '')?.[1]?.replace('/api/v1', '') ?? null;
    const cursor = body['next_cursor'] as string | null | undefined;
    return { rows, next: member === null ? link : cursor == null ? null : `${path}?limit=4&cursor=${cursor}` };
  };
  const walk = async (list: List, meanwhile: (pages: number) => Promise<void>) => {
    const ids: unknown[] = [];
    let next: string | null = '';
    for (let pages = 1; next !== null; pages += 1) {
      expect(pages).toBeLessThan(100);
      const found: Awaited<ReturnType<typeof page>> = await page(list, next);
      expect(found.rows.length).toBeLessThanOrEqual(4);
      ids.push(...found.rows.map((row) => row[list.id]));
      next = found.next;
      await meanwhile(pages);
    }
    return ids;
  };

  it.each(LISTS.map((list) => [list.path, list] as const))(
    '%s shows every row exactly once, page by page, while rows are added',
    async (_path, list) => {
      // Every other number is added meanwhile, so that new rows come before, between and after the old ones.
      for (let number = 0; number < ROWS; number += 1) await insert(list, number * 2);
      const whole = await oma.api.get(`${list.path}?limit=1000`);
      const rows = (list.member === null ? whole.body : whole.body[list.member]) as Json[];
      const before = rows.map((row) => row[list.id]);
      expect(before.length).toBeGreaterThanOrEqual(ROWS);
      const seen = await walk(list, (pages) =>
        insert(list, pages * 5 + (pages % 2 === 0 ? 1 : 0)).catch(() => undefined),
      );
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.filter((id) => before.includes(id))).toEqual(before);
    },
    60_000,
  );

  it.each(LISTS.filter(({ member }) => member !== null).map((list) => [list.path, list] as const))(
    '%s says that there is more when it was cut',
    async (path, list) => {
      const { body } = await oma.api.get(`${path}?limit=2`);
      expect((body[list.member ?? ''] as Json[]).length).toBe(2);
      expect(body['next_cursor']).toEqual(expect.any(String));
      const total = body['count'] ?? body['total'];
      if (total !== undefined) expect(total).toBeGreaterThanOrEqual(ROWS);
    },
  );

  it('the audit trail shows every event exactly once while events are added', async () => {
    const writer = await OutsideWriter.beside(oma);
    try {
      for (let count = 0; count < 30; count += 1) await writer.write();
      const position = await writer.write();
      const seen: string[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
        const { body } = await oma.api.get<{ events: { position: string }[]; next_cursor: string | null }>(
          `/audit?limit=4${query}`,
          { 'x-min-position': position },
        );
        seen.push(...body.events.map((event) => event.position));
        cursor = body.next_cursor;
        await writer.write();
      }
      const older = [...new Set(seen)].filter((one) => one <= position);
      const stored = await all(writer.store.readAll());
      expect(older).toHaveLength(stored.filter((event) => event.position <= position).length);
      expect(seen).toHaveLength(new Set(seen).size);
    } finally {
      await writer.close();
    }
  });

  it('the audit trail refuses a cursor that lies ahead of the log', async () => {
    const { body } = await oma.api.get('/audit?limit=1');
    const [mark] = JSON.parse(Buffer.from(String(body['next_cursor']), 'base64url').toString()) as [string];
    const ahead = Buffer.from(JSON.stringify([mark, POSITION_AHEAD])).toString('base64url');
    expect(await oma.api.get(`/audit?limit=1&cursor=${ahead}`)).toMatchObject({
      status: 400,
      body: { code: 'malformed-request', newest_cursor: null, remedy: expect.stringMatching(/first page/) },
    });
  });

  it.each([...LISTS.map(({ path }) => path), '/audit'])(
    '%s says how to begin anew after an unknown cursor',
    async (path) => {
      for (const cursor of ['nonsense', Buffer.from('["x","y","z"]').toString('base64url'), '%00']) {
        const { status, body } = await oma.api.get(`${path}?cursor=${cursor}`);
        expect({ status, code: body['code'] }).toEqual({ status: 400, code: 'malformed-request' });
        if (cursor !== '%00')
          expect(body).toMatchObject({ newest_cursor: null, remedy: expect.stringMatching(/first page/) });
      }
    },
  );
});

/** Something of its type in every column. */
function blank(columns: Shape): Json {
  const BLANK: Readonly<Record<string, unknown>> = {
    text: 'x',
    uuid: '00000000-0000-0000-0000-000000000000',
    bigint: 1,
    integer: 1,
    'double precision': 1,
    boolean: false,
    timestamptz: moment(0),
    jsonb: '[]',
  };
  return Object.fromEntries(Object.entries(columns).map(([name, type]) => [name, BLANK[type]]));
}
