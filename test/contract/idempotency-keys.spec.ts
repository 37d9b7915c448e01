import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { PostgresIdempotencyKeys } from '#platform/http/postgres.idempotency-keys';
import { thisWorker } from '#platform/sagas/worker-identity';

import { freshDatabase } from '../kit/database.js';

const ANSWER = { status: 201, body: { id: 'x' }, headers: { etag: 'W/"0"' } };

describe('idempotency keys', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;

  beforeEach(async () => {
    fresh = await freshDatabase();
  });

  afterEach(async () => {
    await fresh.drop();
  });

  const instance = (owner = thisWorker()) =>
    new PostgresIdempotencyKeys(fresh.database, owner, Buffer.from('a key for hashes'));
  const age = (column: 'claimed_at' | 'created_at', interval: string) =>
    fresh.database.query(`update idempotency_key set ${column} = ${column} - $1::interval`, [interval]);
  const commandId = (claim: unknown) => (claim as { commandId: string }).commandId;

  it('belong to the first of many who come at once, on whichever instance', async () => {
    const [one, other] = [instance(), instance()];
    const claims = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : other).claim('user', 'key', 'request')),
    );
    expect(claims.map(({ is }) => is).sort()).toEqual(['mine', ...Array.from({ length: 19 }, () => 'under-way')]);
  });

  it('give the first answer to the same request and refuse every other one', async () => {
    const keys = instance();
    await keys.claim('user', 'key', 'request');
    await keys.answered('user', 'key', ANSWER);
    await keys.answered('user', 'key', { ...ANSWER, status: 500 });
    expect(await keys.claim('user', 'key', 'request')).toEqual({ is: 'answered', answer: ANSWER });
    expect(await keys.claim('user', 'key', 'other')).toEqual({ is: 'other-request' });
    expect(await keys.claim('somebody else', 'key', 'other')).toMatchObject({ is: 'mine' });
  });

  it('of a process that died pass to one of those who try again, with the command of the first time', async () => {
    const first = await instance('nowhere/1/1/dead').claim('user', 'key', 'request');
    const keys = instance();
    expect(await keys.claim('user', 'key', 'request')).toEqual({ is: 'under-way' });
    await age('claimed_at', '121 seconds');
    const claims = await Promise.all(Array.from({ length: 10 }, () => keys.claim('user', 'key', 'request')));
    const mine = claims.filter(({ is }) => is === 'mine');
    expect(mine.map(commandId)).toEqual([commandId(first)]);
  });

  it('that were abandoned keep their command and take no other request', async () => {
    const keys = instance();
    const first = await keys.claim('user', 'key', 'request');
    await keys.abandon('user', 'key');
    expect(await keys.claim('user', 'key', 'other')).toEqual({ is: 'other-request' });
    expect(await instance().claim('user', 'key', 'request')).toEqual({ is: 'mine', commandId: commandId(first) });
  });

  it('that were released are as good as new', async () => {
    const keys = instance();
    const first = await keys.claim('user', 'key', 'request');
    await keys.release('user', 'key');
    const second = await keys.claim('user', 'key', 'other');
    expect(second.is).toBe('mine');
    expect(commandId(second)).not.toBe(commandId(first));
  });

  it('are forgotten after a day, each at its time and all of them in the end', async () => {
    const keys = instance();
    const first = await keys.claim('user', 'key', 'request');
    await keys.answered('user', 'key', ANSWER);
    await keys.claim('user', 'left', 'request');
    await age('created_at', '24 hours');
    const second = await keys.claim('user', 'key', 'other');
    expect(second.is).toBe('mine');
    expect(commandId(second)).not.toBe(commandId(first));
    await instance().claim('user', 'newer', 'request');
    const rows = await fresh.database.query<{ key: string }>('select key from idempotency_key order by key');
    expect(rows.map(({ key }) => key)).toEqual(['key', 'newer']);
  });
});
