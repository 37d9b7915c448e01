import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import type { Mine } from '#platform/http/idempotency.port';
import { PostgresIdempotencyKeys } from '#platform/http/postgres.idempotency-keys';
import { newId } from '#platform/ids/ids';
import { Instances } from '#platform/instances/instances';

import { freshDatabase } from '../kit/database.js';
import { silentLog } from '../kit/silent-log.js';

const TIMES = { aliveSeconds: 3600, beatMs: 60_000, goneSeconds: 3600 };
const ANSWER = { status: 201, body: { id: 'x' }, headers: { etag: 'W/"0"' } };

describe('idempotency keys', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let instances: Instances[];

  beforeEach(async () => {
    fresh = await freshDatabase();
    instances = [];
  });

  afterEach(async () => {
    await Promise.all(instances.map((one) => one.stop()));
    await fresh.drop();
  });

  const instance = async (hashKey = 'a key for hashes') => {
    const one = new Instances(fresh.database, { instanceId: newId(), startId: newId() }, silentLog, TIMES);
    instances.push(one);
    await one.register();
    return new PostgresIdempotencyKeys(fresh.database, Buffer.from(hashKey), one);
  };
  const age = (column: 'claimed_at' | 'created_at', interval: string) =>
    fresh.database.query(`update idempotency_key set ${column} = ${column} - $1::interval`, [interval]);
  const mine = async (keys: PostgresIdempotencyKeys): Promise<Mine> => {
    const claim = await keys.claim('user', 'key', 'request');
    if (claim.is !== 'mine') throw new Error(`the key is ${claim.is}`);
    return claim;
  };
  const commandId = (claim: unknown) => (claim as { commandId: string }).commandId;

  it('belong to the first of many who come at once, on whichever instance', async () => {
    const [one, other] = [await instance(), await instance()];
    const claims = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : other).claim('user', 'key', 'request')),
    );
    expect(claims.map(({ is }) => is).sort()).toEqual(['mine', ...Array.from({ length: 19 }, () => 'under-way')]);
  });

  it('give the first answer to the same request and refuse every other one', async () => {
    const keys = await instance();
    const first = await mine(keys);
    await keys.answered('user', 'key', first, ANSWER);
    await keys.answered('user', 'key', first, { ...ANSWER, status: 500 });
    expect(await keys.claim('user', 'key', 'request')).toEqual({ is: 'answered', answer: ANSWER });
    expect(await keys.claim('user', 'key', 'other')).toEqual({ is: 'other-request' });
    expect(await keys.claim('somebody else', 'key', 'other')).toMatchObject({ is: 'mine' });
  });

  it('give the first answer letter by letter', async () => {
    const keys = await instance();
    const answer = { ...ANSWER, body: { status: 'new', id: 'x', a: [{ b: 1, a: null }] } };
    await keys.answered('user', 'key', await mine(keys), answer);
    const again = await keys.claim('user', 'key', 'request');
    expect(JSON.stringify(again)).toBe(JSON.stringify({ is: 'answered', answer }));
  });

  it('stay with a request that had no answer, also when it is refused the second time', async () => {
    const keys = await instance();
    const first = await mine(keys);
    await keys.abandon('user', 'key', first);
    const second = await mine(keys);
    expect(second.commandId).toBe(first.commandId);
    await keys.release('user', 'key', second);
    expect((await mine(keys)).commandId).toBe(first.commandId);
    expect(await keys.claim('user', 'key', 'other')).toEqual({ is: 'other-request' });
  });

  it('tell requests apart by what nobody can compute without the key for it', async () => {
    await (await instance()).claim('user', 'key', 'request');
    const stranger = await instance('another key for hashes');
    expect(await stranger.claim('user', 'key', 'request')).toEqual({ is: 'other-request' });
  });

  it.each(['release', 'abandon'] as const)('keep an answer, whatever follows it: %s', async (how) => {
    const keys = await instance();
    const first = await mine(keys);
    await keys.answered('user', 'key', first, ANSWER);
    await keys[how]('user', 'key', first);
    expect(await keys.claim('user', 'key', 'request')).toEqual({ is: 'answered', answer: ANSWER });
  });

  const claimsOfMany = async (keys: PostgresIdempotencyKeys) => {
    const claims = await Promise.all(Array.from({ length: 10 }, () => keys.claim('user', 'key', 'request')));
    return claims.filter(({ is }) => is === 'mine').map(commandId);
  };

  it('of an instance that died pass to one of those who try again, with the command of the first time', async () => {
    const first = await (await instance()).claim('user', 'key', 'request');
    const keys = await instance();
    expect(await keys.claim('user', 'key', 'request')).toEqual({ is: 'under-way' });
    await instances[0]?.stop();
    expect(await claimsOfMany(keys)).toEqual([commandId(first)]);
  });

  it('whose answer comes just before they would pass on give that answer', async () => {
    const keys = await instance();
    const first = await mine(keys);
    const other = await instance();
    for (const one of instances) {
      jest.spyOn(one, 'isAlive').mockImplementation(async () => {
        await keys.answered('user', 'key', first, ANSWER);
        return false;
      });
    }
    expect(await other.claim('user', 'key', 'request')).toEqual({ is: 'under-way' });
    expect(await other.claim('user', 'key', 'request')).toEqual({ is: 'answered', answer: ANSWER });
  });

  it('that nobody answered for longer than a request takes pass on, although their instance lives', async () => {
    const first = await (await instance()).claim('user', 'key', 'request');
    const keys = await instance();
    expect(await keys.claim('user', 'key', 'request')).toEqual({ is: 'under-way' });
    await age('claimed_at', '121 seconds');
    expect(await claimsOfMany(keys)).toEqual([commandId(first)]);
  });

  it('that were abandoned keep their command and take no other request', async () => {
    const keys = await instance();
    const first = await mine(keys);
    await keys.abandon('user', 'key', first);
    expect(await keys.claim('user', 'key', 'other')).toEqual({ is: 'other-request' });
    const other = await instance();
    expect(await other.claim('user', 'key', 'request')).toMatchObject({ is: 'mine', commandId: commandId(first) });
  });

  it('that were released are as good as new', async () => {
    const keys = await instance();
    const first = await mine(keys);
    await keys.release('user', 'key', first);
    const second = await keys.claim('user', 'key', 'other');
    expect(second.is).toBe('mine');
    expect(commandId(second)).not.toBe(commandId(first));
  });

  it.each(['release', 'abandon'] as const)(
    'stay with whoever took over, whatever the first one does: %s',
    async (how) => {
      const keys = await instance();
      const slow = await mine(keys);
      await age('claimed_at', '121 seconds');
      const second = await mine(keys);
      await keys[how]('user', 'key', slow);
      expect(await keys.claim('user', 'key', 'request')).toEqual({ is: 'under-way' });
      await keys[how]('user', 'key', second);
      expect(await keys.claim('user', 'key', 'request')).toMatchObject({ is: 'mine' });
    },
  );

  it('that another request has by now do not get the answer of one that was given up', async () => {
    const keys = await instance();
    const slow = await mine(keys);
    await age('created_at', '25 hours');
    expect((await keys.claim('user', 'key', 'other')).is).toBe('mine');
    await keys.answered('user', 'key', slow, ANSWER);
    expect(await keys.claim('user', 'key', 'other')).toEqual({ is: 'under-way' });
  });

  it('are forgotten after a day, each at its time and all of them in the end', async () => {
    const keys = await instance();
    const first = await mine(keys);
    await keys.answered('user', 'key', first, ANSWER);
    await keys.claim('user', 'left', 'request');
    await age('created_at', '24 hours');
    const second = await keys.claim('user', 'key', 'other');
    expect(second.is).toBe('mine');
    expect(commandId(second)).not.toBe(commandId(first));
    expect(await keys.claim('user', 'key', 'other')).toEqual({ is: 'under-way' });
    await (await instance()).claim('user', 'newer', 'request');
    const rows = await fresh.database.query<{ key: string }>('select key from idempotency_key order by key');
    expect(rows.map(({ key }) => key)).toEqual(['key', 'newer']);
  });
});
