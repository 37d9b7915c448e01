import { randomBytes } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import type { EventStore } from '#platform/event-store/event-store.port';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { newId } from '#platform/ids/ids';
import type { Logger } from '#platform/logging/logger.port';
import { ProjectionRunner } from '#platform/projections/projection-runner';
import type { AnyProjection } from '#platform/projections/tables';
import { PostgresVault } from '#platform/secrets/postgres.vault';
import { StraySecrets } from '#platform/secrets/stray-secrets';
import { credentialProjection } from '#projections/credential/credential.projection';

import { freshDatabase } from '../kit/database.js';
import { anEvent } from '../kit/events.js';
import { heardLog } from '../kit/heard-log.js';
import { silentLog } from '../kit/silent-log.js';

const facts = (secretRef: string) => ({
  ...{ id: newId(), credentialNumber: 1, name: 'lab', vcenterHost: 'vcenter', username: 'somebody', datacenter: 'Lab' },
  ...{ isActive: true, isDefault: false, secretRef, fingerprint: 'f', createdBy: 'somebody' },
});

/** Each way in which the log refers to a secret, and some in which it may one day. */
const REFERENCES = {
  'a credential': (ref: string) => anEvent('CredentialCreated', facts(ref)),
  'a name that is reserved': (ref: string) => {
    const command = { type: 'CreateCredential', credential: facts(ref) };
    return anEvent('Reserved', { by: newId(), label: 'a credential', creates: { category: 'credential', command } });
  },
  'a step of a saga': (ref: string) => {
    const command = { type: 'CreateCredential', credential: facts(ref) };
    return anEvent('EffectRequested', { step: 'create', args: { category: 'credential', id: newId(), command } });
  },
  'an event of another kind': (ref: string) => anEvent('KeyTurned', { keys: [newId(), { of: `vault:${ref}` }] }),
  'metadata alone': (ref: string) => {
    const event = anEvent('KeyTurned');
    return { ...event, metadata: { ...event.metadata, reason: `in place of ${ref}` } };
  },
} as const;
const KINDS = Object.keys(REFERENCES) as (keyof typeof REFERENCES)[];

describe('secrets that nothing refers to', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let store: PostgresEventStore;
  let runner: ProjectionRunner;
  let vault: PostgresVault;

  beforeEach(async () => {
    fresh = await freshDatabase();
    store = new PostgresEventStore(fresh.database, silentLog);
    await store.start();
    runner = new ProjectionRunner(fresh.database, store, [credentialProjection as unknown as AnyProjection], silentLog);
    await runner.start();
    vault = await PostgresVault.unlock(fresh.database, randomBytes(32));
  });

  afterEach(async () => {
    await runner.stop();
    await store.close();
    await fresh.drop();
  });

  const strays = (log: EventStore = store) => new StraySecrets(fresh.database, log, silentLog);
  /** A secret that was stored so many hours ago. */
  const stored = async (hoursAgo: number) => {
    const { ref } = await vault.put('geheim');
    const sql = 'update secret set created_at = now() - make_interval(mins => $2) where ref = $1';
    await fresh.database.query(sql, [ref, hoursAgo * 60]);
    return ref;
  };
  const refer = (kind: keyof typeof REFERENCES, ref: string) =>
    store.append(`note-${newId()}`, 'no-stream', [REFERENCES[kind](ref)]);
  const left = async () =>
    (await fresh.database.query<{ ref: string }>('select ref from secret')).map(({ ref }) => ref);

  it('are forgotten after a day and within a week, with one line in the log', async () => {
    const old = [await stored(25), await stored(150)];
    const kept = [await stored(0), await stored(23.5), await stored(200)];
    const lines: object[] = [];
    const info = (fields: object, line: string) => void lines.push({ ...fields, line });
    const logger = Object.assign(Object.create(silentLog) as Logger, { info });
    expect(await new StraySecrets(fresh.database, store, logger).forget()).toBe(2);
    expect((await left()).sort()).toEqual([...kept].sort());
    expect(lines).toEqual([{ secrets: 2, line: 'secrets that nothing refers to were forgotten' }]);
    expect(JSON.stringify(lines)).not.toContain(old[0]);
    expect(await strays().forget()).toBe(0);
  });

  it('are never those that the log refers to, in whatever way, whether or not a row shows it', async () => {
    const secret = fc.record({
      hoursAgo: fc.constantFrom(0, 23, 25, 160, 1000),
      by: fc.constantFrom(null, ...KINDS),
    });
    const run = async (
      isShown: boolean,
      secrets: readonly { readonly hoursAgo: number; readonly by: (typeof KINDS)[number] | null }[],
    ) => {
      const before = await left();
      const kept: string[] = [];
      for (const { hoursAgo, by } of secrets) {
        const ref = await stored(hoursAgo);
        if (by !== null) await refer(by, ref);
        if (by !== null || hoursAgo < 24 || hoursAgo > 168) kept.push(ref);
      }
      if (isShown) await runner.caughtUp();
      const repeating = strays();
      await repeating.forget();
      await repeating.forget();
      expect((await left()).sort()).toEqual([...before, ...kept].sort());
    };
    await fc.assert(fc.asyncProperty(fc.boolean(), fc.array(secret, { maxLength: 6 }), run), { numRuns: 25 });
  });

  it('stay while the log is shorter than the rows have seen it, or can not be read', async () => {
    const ref = await stored(25);
    await store.append('note-1', 'no-stream', [anEvent()]);
    await runner.caughtUp();
    const short = Object.assign(Object.create(store) as EventStore, { reaches: () => Promise.resolve(false) });
    expect(await strays(short).forget()).toBe(0);
    const broken = Object.assign(Object.create(store) as EventStore, {
      readAll: async function* () {
        yield* store.readAll();
        await Promise.reject(new Error('cut off'));
      },
    });
    await expect(strays(broken).forget()).rejects.toThrow('cut off');
    expect(await left()).toEqual([ref]);
  });

  it('are looked for in the whole log once, and by one instance', async () => {
    let reads = 0;
    const counting = Object.assign(Object.create(store) as EventStore, {
      readAll: () => {
        reads += 1;
        return store.readAll();
      },
    });
    const one = strays(counting);
    expect(await one.forget()).toBe(0);
    expect(reads).toBe(0);
    const ref = await stored(25);
    await refer('a name that is reserved', ref);
    expect([await one.forget(), await one.forget()]).toEqual([0, 0]);
    expect(reads).toBe(1);
    await Promise.all([stored(25), stored(25)]);
    const counts = await Promise.all([one.forget(), strays(counting).forget()]);
    expect(counts.toSorted()).toEqual([0, 2]);
    expect(await left()).toEqual([ref]);
  });

  it('are forgotten without being asked, and failures are told', async () => {
    const ref = await stored(25);
    await fresh.database.query('alter table secret rename to elsewhere');
    const { logger, heard } = heardLog();
    const ticking = new StraySecrets(fresh.database, store, logger);
    ticking.start();
    await ticking.stop();
    expect(heard).toEqual([expect.objectContaining({ line: expect.stringContaining('tried again') as unknown })]);
    await fresh.database.query('alter table elsewhere rename to secret');
    expect(await left()).toEqual([ref]);
    ticking.start();
    await ticking.stop();
    expect(await left()).toEqual([]);
  });
});
