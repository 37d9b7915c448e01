import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import type { Json } from '../kit/api-client.js';
import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { OmaProcess } from '../kit/oma-process.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';

/** Holds every answer back between what was decided and its being remembered. */
const HOLD = `
  create or replace function hold_answers() returns trigger language plpgsql as
    $$ begin if new.answer is not null then perform pg_sleep(60); end if; return new; end $$;
  create trigger hold_answers before update on idempotency_key for each row execute function hold_answers();
`;
/** Whoever is held back; the server is shared with other tests. */
const HELD = `datname = current_database() and query like 'update idempotency_key set answer%'`;
/** The same between a user's creation and the keeping of the password. */
const HOLD_PASSWORDS = `
  create or replace function hold_passwords() returns trigger language plpgsql as
    $$ begin perform pg_sleep(60); return new; end $$;
  create trigger hold_passwords before insert on password for each row execute function hold_passwords();
`;
const HELD_PASSWORDS = `datname = current_database() and query like 'insert into password%'`;
const LET_GO = `drop trigger hold_answers on idempotency_key`;

describe('a command that was carried out and never answered, since OMA was killed in between', () => {
  let oma: OmaProcess;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let vm: ProtectedVm;
  let restorePoint: string;
  let database: pg.Client;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await OmaProcess.start({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '21300-21399' });
    vm = await protect(oma.api, lab, 'db-01', oma.dataDir);
    restorePoint = await startBackup(oma.api, vm);
    await endOf(oma.api, restorePoint);
    database = new pg.Client({ connectionString: oma.databaseUrl });
    await database.connect();
  }, 120_000);

  afterAll(async () => {
    await database.end();
    await oma.clear();
    await lab.clear();
  }, 60_000);

  const number = async (statement: string, values: readonly string[] = []): Promise<number> => {
    const { rows } = await database.query<{ count: string }>(statement, [...values]);
    return Number(rows[0]?.count);
  };
  const count = (type: string) => number('select count(*) from es.event where type = $1', [type]);

  const commands: readonly {
    readonly what: string;
    readonly path: () => string;
    readonly body: () => Json;
    /** The fact that must be there once. */
    readonly fact: string;
    /** Asks for the number of times that what was ordered was done, where the fact only says that it was ordered. */
    readonly effects?: string;
  }[] = [
    {
      what: 'a mount',
      path: () => '/restore/mount',
      body: () => ({ backup_id: restorePoint }),
      fact: 'MountRequested',
    },
    {
      what: 'a verification',
      path: () => `/backup/${restorePoint}/verify`,
      body: () => ({}),
      fact: 'VerificationRequested',
    },
    {
      what: 'a repository',
      path: () => '/repositories',
      body: () => ({ name: 'spare', type: 'local', config: { path: `${oma.dataDir}/spare` } }),
      fact: 'RepositoryPlaceReserved',
    },
    {
      what: 'a credential',
      path: () => '/vmware-credentials',
      body: () => ({ credential_name: 'spare', vcenter_host: 'v', username: 'u', password: 'p', datacenter: 'd' }),
      fact: 'Reserved',
    },
    {
      what: 'a user',
      path: () => '/users',
      body: () => ({ username: 'spare', password: 'a-long-password', role: 'viewer' }),
      fact: 'UserCreated',
    },
    {
      what: 'a backup',
      path: () => '/backup/start',
      body: () => ({ vm_name: vm.contextId, backup_type: 'full', repository_id: vm.repositoryId }),
      fact: 'VmHeld',
    },
    {
      what: 'a rebuild',
      path: () => '/projections/repository/rebuild',
      body: () => ({}),
      fact: 'ProjectionRebuildRequested',
      effects: `select max(generation) count from projection where name = 'repository'`,
    },
    {
      what: 'a comparison',
      path: () => '/projections/repository/verify',
      body: () => ({}),
      fact: 'ProjectionVerificationRequested',
      effects: 'select count(*) from projection_check',
    },
  ];

  it.each(commands.map((command) => [command.what, command] as const))(
    '%s is made once, and the same key gets the answer',
    async (what, { path, body, fact, effects = 'select 0 count' }) => {
      const key = { 'idempotency-key': `key of ${what}`.replaceAll(' ', '-') };
      const before = await count(fact);
      const done = await number(effects);
      await database.query(HOLD);
      const lost = oma.api.post(path(), body(), key).catch(() => null);
      await eventually(async () => {
        const { rows } = await database.query(`select 1 from pg_stat_activity where ${HELD} and state = 'active'`);
        expect(rows).toHaveLength(1);
      }, 20);
      await oma.kill();
      expect(await lost).toBeNull();
      await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${HELD}`);
      await database.query(LET_GO);
      expect(await count(fact)).toBe(before + 1);
      await oma.restart();
      const again = await oma.api.post(path(), body(), key);
      expect([200, 201, 202]).toContain(again.status);
      expect(again.headers.get('x-event-position')).toMatch(/^\S+$/);
      const third = await oma.api.post(path(), body(), key);
      expect(third.headers.get('idempotency-replayed')).toBe('true');
      expect(third.body).toEqual(again.body);
      expect(await count(fact)).toBe(before + 1);
      expect(await number(effects)).toBeLessThanOrEqual(done + 1);
    },
    90_000,
  );

  it('a user that was left without a password can be created again, with one that counts', async () => {
    const account = { username: 'unfinished', password: 'a-long-password' };
    const user = { ...account, role: 'viewer' };
    await database.query(HOLD_PASSWORDS);
    const lost = oma.api.post('/users', user).catch(() => null);
    await eventually(async () => {
      const { rows } = await database.query(
        `select 1 from pg_stat_activity where ${HELD_PASSWORDS} and state = 'active'`,
      );
      expect(rows).toHaveLength(1);
    }, 20);
    await oma.kill();
    expect(await lost).toBeNull();
    await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${HELD_PASSWORDS}`);
    await database.query(`drop trigger hold_passwords on password`);
    await oma.restart();
    const logIn = async () => oma.api.as('').post('/auth/login', account);
    expect((await logIn()).status).toBe(401);
    expect((await oma.api.post('/users', { ...user, role: 'admin' })).status).toBe(409);
    expect((await oma.api.post('/users', user)).status).toBe(201);
    expect((await logIn()).status).toBe(200);
  }, 90_000);
});
