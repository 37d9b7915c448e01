import { readdirSync, readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { pinoLogger } from '#platform/logging/pino.logger';

import { EventStoreDbDouble } from '#lab/eventstoredb/double';
import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { endOf, protect, startBackup } from '../kit/protected-vm.js';
import { ADMIN_PASSWORD, runningOma, type RunningOma } from '../kit/running-oma.js';

const WRONG_PASSWORD = 'canary-wrong-password';
const USER_PASSWORD = 'canary-user-password';

describe.each(['PostgreSQL', 'EventStoreDB'])('secrets, with the log in %s', (place) => {
  let double: EventStoreDbDouble | null = null;
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  const log: string[] = [];
  const answers: string[] = [];
  const commandLines = new Set<string>();
  let watching: NodeJS.Timeout;

  beforeAll(async () => {
    watching = setInterval(() => {
      for (const line of allCommandLines()) commandLines.add(line);
    }, 20);
    lab = await startTestLab();
    const logger = pinoLogger('debug', { write: (line) => log.push(line) });
    const settings = { OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '20500-20599' };
    if (place === 'EventStoreDB') double = await EventStoreDbDouble.start();
    oma = await runningOma({ ...settings, ...(double !== null && { EVENTSTORE_URL: double.url }) }, logger);
    await everythingThatKnowsASecret();
  }, 120_000);

  afterAll(async () => {
    clearInterval(watching);
    await oma.clear();
    await lab.clear();
    double?.stop();
  });

  async function everythingThatKnowsASecret(): Promise<void> {
    const keep = (answer: { body: unknown }) => answers.push(JSON.stringify(answer.body));
    const vm = await protect(oma.api, lab, 'db-01', oma.dataDir);
    keep(await oma.api.as('').post('/auth/login', { username: 'admin', password: WRONG_PASSWORD }));
    keep(await oma.api.post('/users', { username: 'uma', password: USER_PASSWORD, role: 'viewer' }));
    keep(await oma.api.post('/users', { username: 'uma', password: USER_PASSWORD, role: 'viewer', extra: 1 }));
    keep(await oma.api.post('/users', `{"username":"uma","password":"${USER_PASSWORD}`));
    const { host, username, datacenter } = lab.vcenter;
    const lent = { vcenter: host, username, datacenter, password: WRONG_PASSWORD };
    keep(await oma.api.post('/discovery/discover-vms', lent));
    const wrong = { credential_name: 'wrong', vcenter_host: host, username, datacenter, password: WRONG_PASSWORD };
    const stored = await oma.api.post<{ credential: { id: number } }>('/vmware-credentials', wrong);
    keep(stored);
    keep(await oma.api.post('/discovery/discover-vms', { credential_id: stored.body.credential.id }));
    lab.misbehave({ refuse_start: `no login for ${lab.vcenter.password}` });
    const refused = await startBackup(oma.api, vm);
    keep({ body: await endOf(oma.api, refused) });
    lab.misbehave({ refuse_nbd: `login as administrator with ${lab.vcenter.password} failed` });
    keep({ body: await endOf(oma.api, await startBackup(oma.api, vm)) });
    lab.misbehave({});
    keep({ body: await endOf(oma.api, await startBackup(oma.api, vm)) });
    keep(await oma.api.get('/vmware-credentials'));
    keep(await oma.api.get('/jobs'));
    keep(await oma.api.get('/audit?limit=1000'));
  }

  const planted = () => [ADMIN_PASSWORD, WRONG_PASSWORD, USER_PASSWORD, lab.vcenter.password, oma.api.token];
  const found = (texts: Iterable<string>) =>
    [...texts].filter((text) => planted().some((secret) => text.includes(secret)));

  it('are in no answer', () => {
    expect(answers.length).toBeGreaterThan(8);
    expect(found(answers)).toEqual([]);
  });

  it('are in no event and no row of any table', async () => {
    const client = new pg.Client({ connectionString: oma.databaseUrl });
    await client.connect();
    try {
      const { rows: tables } = await client.query<{ name: string }>(
        `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
          where table_schema not in ('pg_catalog', 'information_schema')`,
      );
      expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(['es.event', 'public.session']));
      for (const { name } of tables) {
        const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
        expect({ name, found: found(rows.map(({ row }) => row)) }).toEqual({ name, found: [] });
      }
    } finally {
      await client.end();
    }
  });

  it('are in no stream of the event store', () => {
    const records = double?.log.records ?? [];
    expect(records.some(({ type }) => type === 'BackupStarted')).toBe(double !== null);
    const texts = records.map(({ stream, data, metadata }) =>
      [stream, Buffer.from(data).toString(), Buffer.from(metadata).toString()].join(' '),
    );
    expect(found(texts)).toEqual([]);
  });

  it('are in no line of the log', () => {
    expect(log.length).toBeGreaterThan(10);
    expect(found(log)).toEqual([]);
  });

  it('are on no command line', () => {
    expect([...commandLines].some((line) => line.includes('qemu-nbd') && line.includes(oma.dataDir))).toBe(true);
    expect(found(commandLines)).toEqual([]);
  });

  it('go a day later when nothing refers to them, and no other does', async () => {
    const client = new pg.Client({ connectionString: oma.databaseUrl });
    await client.connect();
    try {
      const refs = async () =>
        (await client.query<{ ref: string }>('select ref from secret order by ref')).rows.map(({ ref }) => ref);
      const inUse = await refs();
      await client.query(`insert into secret (ref, wrapped_key, sealed) values ('01-cut-off', '', '')`);
      await client.query(`update secret set created_at = now() - interval '25 hours'`);
      await oma.restart();
      await eventually(async () => {
        expect(await refs()).toEqual(inUse);
      });
      expect(inUse).toHaveLength(2);
      const [{ id } = { id: 0 }] = (
        await oma.api.get<{ credentials: { id: number; credential_name: string }[] }>('/vmware-credentials')
      ).body.credentials.filter(({ credential_name: name }) => name !== 'wrong');
      expect((await oma.api.post('/discovery/discover-vms', { credential_id: id })).status).toBe(200);
    } finally {
      await client.end();
    }
  }, 60_000);
});

function allCommandLines(): readonly string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return [];
      }
    });
}
