import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';

const MIB = 1024 * 1024;
const QUERIES = [...readFileSync('docs/reporting.md', 'utf8').matchAll(/^```sql\n([\s\S]*?)^```/gm)].map(
  ([, sql]) => sql,
);

type Row = Record<string, unknown>;

describe('the queries of docs/reporting.md', () => {
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let good: ProtectedVm;
  let cancelled: ProtectedVm;
  let reader: pg.Client;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '21530-21559' });
    good = await protect(oma.api, lab, 'db-01', oma.dataDir);
    cancelled = await protect(oma.api, lab, 'web-01', oma.dataDir);
    const point = await startBackup(oma.api, good);
    await endOf(oma.api, point);
    const { body } = await oma.api.post('/restore/mount', { backup_id: point }, { 'x-reason': 'a file was lost' });
    await endOf(oma.api, String(body['mount_id']));
    lab.misbehave({ bytes_per_second: MIB });
    const slow = await startBackup(oma.api, cancelled);
    await oma.api.post(`/jobs/${slow}/cancel`, {}, { 'x-reason': 'the wrong machine' });
    await endOf(oma.api, slow);
    lab.misbehave({});
    reader = new pg.Client({ connectionString: oma.databaseUrl });
    await reader.connect();
    await reader.query('set session authorization oma_reporting');
  }, 120_000);

  afterAll(async () => {
    await reader.end();
    await oma.clear();
    await lab.clear();
  }, 60_000);

  const ask = async (number: number): Promise<Row[]> => (await reader.query<Row>(QUERIES[number] ?? '')).rows;

  it('are three', () => {
    expect(QUERIES).toHaveLength(3);
  });

  it('name the VM without a good restore point, and not the one that has one', async () => {
    await eventually(async () => {
      expect(await ask(0)).toEqual([
        { vm_name: 'web-01', vcenter_host: lab.vcenter.host, newest_good_at: null, age: null },
      ]);
    });
  });

  it('name the VM whose newest point is damaged, as one without', async () => {
    const own = new pg.Client({ connectionString: oma.databaseUrl });
    await own.connect();
    await own.query('begin');
    await own.query(
      `update backup set disks = jsonb_set(disks, '{0,damage}', '{"reason": "differs"}') where status = 'completed'`,
    );
    const { rows } = await own.query<Row>(QUERIES[0] ?? '');
    await own.query('rollback');
    await own.end();
    expect(rows.map(({ vm_name: name }) => name)).toEqual(['db-01', 'web-01']);
  });

  it('name the VM of which no point holds all disks', async () => {
    const own = new pg.Client({ connectionString: oma.databaseUrl });
    await own.connect();
    await own.query('begin');
    await own.query(
      `update vm_context set disks = disks || jsonb_set(disks->0, '{device_key}', '2999') where vm_name = 'db-01'`,
    );
    const { rows } = await own.query<Row>(QUERIES[0] ?? '');
    await own.query('rollback');
    await own.end();
    expect(rows.map(({ vm_name: name }) => name)).toEqual(['db-01', 'web-01']);
  });

  it('add up what was transferred, week by week', async () => {
    const rows = await ask(1);
    const { body } = await oma.api.get<{ backups: { total_bytes: number }[] }>(
      `/backup/list?vm_name=${good.contextId}`,
    );
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ vm_name: 'db-01', backups: '1', completed: '1' });
    expect(Number(rows[0]?.['transferred_bytes'])).toBe(body.backups[0]?.total_bytes);
    expect(rows[1]).toMatchObject({ vm_name: 'web-01', backups: '1', completed: '0', transferred_bytes: '0' });
  });

  it('tell who cancelled and who mounted, and why', async () => {
    expect(await ask(2)).toEqual([
      expect.objectContaining({
        actor: 'admin',
        event_type: 'BackupCancelRequested',
        vm_name: 'web-01',
        reason: 'the wrong machine',
      }),
      expect.objectContaining({
        actor: 'admin',
        event_type: 'MountRequested',
        vm_name: 'db-01',
        reason: 'a file was lost',
      }),
    ]);
  });

  it('can be asked beside the API: what they show is what it shows', async () => {
    const { rows } = await reader.query<Row>(`select * from reporting.restore_points_v1 order by disk_id`);
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(row).toMatchObject({ vm_name: 'db-01', is_good: true, damage: null, mode: 'full' });
    const text = JSON.stringify(rows) + JSON.stringify((await reader.query('select * from reporting.audit_v1')).rows);
    expect(text).not.toContain(lab.vcenter.password);
    expect(text).not.toContain(lab.agentToken);
  });
});
