import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { EventStoreDbClient, Told } from './client.js';
import { positionOf, StreamNames, type WirePosition } from './codec.js';
import type { Reader } from './reader.js';
import { SameLog } from './same-log.js';
import { Tail } from './tail.js';

/** What the server says of a subscriber that doesn't take events fast enough. */
const TOO_SLOW = Object.assign(new Error('consumer too slow'), { code: 10 });
const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

function eventAt(offset: bigint, data: object = {}): Told {
  return {
    event: {
      ...{
        streamId: 'a-1',
        id: String(offset),
        revision: offset,
        type: 'Happened',
        isJson: true,
        created: new Date(0),
      },
      ...{ data, position: { commit: offset, prepare: offset } },
      metadata: {
        ...{ actorKind: 'user', actorId: 'somebody', schemaVersion: '1', correlationId: 'c', causationId: 'c' },
        ...{ $correlationId: 'c', $causationId: 'c' },
      },
    },
  };
}

const at = (offset: bigint) => positionOf({ commit: offset, prepare: offset });
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the newest part of a log in EventStoreDB', () => {
  let begins: (WirePosition | null)[];
  let told: Told[];
  let tail: Tail;

  /** Brings what was put down, and then drops its subscriber. */
  async function* subscribe(after: WirePosition | null): AsyncGenerator<Told> {
    begins.push(after);
    await turn();
    for (const one of told.splice(0)) yield one;
    throw TOO_SLOW;
  }

  beforeEach(() => {
    begins = [];
    told = [];
    tail = new Tail(
      { subscribe } as unknown as EventStoreDbClient,
      { newest: '', saw: () => undefined, head: () => Promise.resolve('') } as unknown as Reader,
      new StreamNames(''),
      new SameLog(() => Promise.resolve(null)),
      logger,
    );
  });

  afterEach(async () => {
    await tail.close();
  });

  const follow = async (...stretch: Told[]) => {
    told = stretch;
    const before = begins.length;
    tail.follow('');
    while (told.length > 0 || begins.length <= before) await turn();
    while (begins.length <= before + 1) await turn();
  };

  it('is followed on from where the server said it was catching up, which is no position for anybody else', async () => {
    await follow(eventAt(300n), { lookedUpTo: { commit: 500n, prepare: 0n } });
    expect(begins.slice(0, 2)).toEqual([null, { commit: 500n, prepare: 0n }]);
    expect(tail.page('', {}, 10)?.upTo).toBe(at(300n));
  });

  it('is known up to where the server has looked', async () => {
    await follow(eventAt(300n), { lookedUpTo: { commit: 500n, prepare: 500n } });
    expect(tail.page('', {}, 10)?.upTo).toBe(at(500n));
    expect(tail.knows(at(500n))).toBe(true);
  });

  it('wakes who waits for more as soon as something comes', async () => {
    const doze = tail.doze(new AbortController().signal);
    await follow(eventAt(300n));
    expect(await Promise.race([doze.over.then(() => 'awake'), turn().then(() => 'asleep')])).toBe('awake');
  });

  it('passes over what comes a second time', async () => {
    await follow(eventAt(300n), eventAt(400n), eventAt(300n), eventAt(400n), eventAt(450n));
    expect(tail.page('', {}, 10)?.events.map(({ id }) => id)).toEqual(['300', '400', '450']);
  });

  it('is not kept beyond some thousand events, and says from where on it is', async () => {
    await follow(...Array.from({ length: 5000 }, (_, index) => eventAt(BigInt(index + 1))));
    expect(tail.page('', {}, 10)).toBeNull();
    expect(tail.page(at(1000n), {}, 10)).toBeNull();
    const { events = [] } = tail.page(at(3000n), {}, 5000) ?? {};
    expect(events.map(({ id }) => id)).toEqual(Array.from({ length: 2000 }, (_, index) => String(index + 3001)));
  });

  it('is not kept beyond some megabytes either', async () => {
    const text = 'x'.repeat(1024 * 1024);
    await follow(...Array.from({ length: 20 }, (_, index) => eventAt(BigInt(index + 1), { text })));
    expect(tail.page('', {}, 10)).toBeNull();
    const { events = [] } = tail.page(at(17n), {}, 10) ?? {};
    expect(events.map(({ id }) => id)).toEqual(['18', '19', '20']);
  });
});
