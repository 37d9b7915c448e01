import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { TokenBucket } from './token-bucket.js';

interface Asked {
  readonly member: string;
  readonly bytes: number;
  readonly pauseMs: number;
}

const rates = fc.integer({ min: 1_000, max: 100_000_000 });
const wishes = fc.array(
  fc.record({
    member: fc.constantFrom('a', 'b', 'c'),
    bytes: fc.integer({ min: 1, max: 16 * 1024 }),
    pauseMs: fc.integer({ min: 0, max: 500 }),
  }),
  { minLength: 1, maxLength: 60 },
);

/** Plays the wishes and answers what was granted when. */
function play(bytesPerSecond: number, asked: readonly Asked[]) {
  const bucket = new TokenBucket(bytesPerSecond, 0);
  const granted: { atMs: number; bytes: number; member: string }[] = [];
  let nowMs = 0;
  const serve = () => {
    for (const ticket of bucket.grant(nowMs)) granted.push({ atMs: nowMs, ...ticket });
  };
  for (const { member, bytes, pauseMs } of asked) {
    nowMs += pauseMs;
    serve();
    bucket.ask(member, bytes);
    serve();
  }
  for (;;) {
    const waitMs = bucket.waitMs(nowMs);
    if (waitMs === null) return { bucket, granted, endMs: nowMs };
    nowMs += waitMs + 1e-6;
    serve();
  }
}

describe('a token bucket', () => {
  it('never grants more than rate × time + burst in any stretch of time', () => {
    fc.assert(
      fc.property(rates, wishes, (rate, asked) => {
        const { bucket, granted } = play(rate, asked);
        granted.forEach((first, from) => {
          let bytes = 0;
          for (const { atMs, bytes: more } of granted.slice(from)) {
            bytes += more;
            expect(bytes).toBeLessThanOrEqual((rate * (atMs - first.atMs)) / 1000 + bucket.burstBytes + 1);
          }
        });
      }),
    );
  });

  it('grants everything that was asked, each member in its own order', () => {
    fc.assert(
      fc.property(rates, wishes, (rate, asked) => {
        const { granted } = play(rate, asked);
        for (const member of ['a', 'b', 'c']) {
          const of = (list: readonly { member: string; bytes: number }[]) =>
            list.filter((one) => one.member === member).map((one) => one.bytes);
          expect(of(granted)).toEqual(of(asked));
        }
      }),
    );
  });

  it('conserves work: while somebody asks, the rate is used in full', () => {
    fc.assert(
      fc.property(rates, wishes, (rate, asked) => {
        const atOnce = asked.map((one) => ({ ...one, pauseMs: 0 }));
        const { bucket, granted, endMs } = play(rate, atOnce);
        const bytes = granted.reduce((sum, one) => sum + one.bytes, 0);
        expect(endMs).toBeLessThanOrEqual((Math.max(0, bytes - bucket.burstBytes) / rate) * 1000 + 1);
      }),
    );
  });

  it('gives members that always ask the same, whatever the size of their tickets', () => {
    const sizes = fc.array(fc.integer({ min: 512, max: 16 * 1024 }), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(rates, sizes, (rate, ticketBytes) => {
        const bucket = new TokenBucket(rate, 0);
        const enough = 2 * bucket.burstBytes;
        ticketBytes.forEach((bytes, index) => {
          const size = Math.min(bytes, bucket.burstBytes);
          for (let asked = 0; asked < enough; asked += size) bucket.ask(String(index), size);
        });
        const got = ticketBytes.map(() => 0);
        let nowMs = 0;
        while (got.every((bytes) => bytes < enough - 16 * 1024)) {
          for (const { member, bytes } of bucket.grant(nowMs)) got[Number(member)] = (got[Number(member)] ?? 0) + bytes;
          // A millisecond's worth at a time, so that the comparison is made in the middle.
          if (got.some((bytes) => bytes > enough / 2)) break;
          nowMs += (bucket.waitMs(nowMs) ?? 0) + 1e-3;
        }
        expect(Math.max(...got) - Math.min(...got)).toBeLessThanOrEqual(2 * Math.max(...ticketBytes));
      }),
      { numRuns: 50 },
    );
  });

  it('does not save up for who was idle', () => {
    const bucket = new TokenBucket(160_000, 0);
    let nowMs = 0;
    const serve = (times: number) => {
      const order: string[] = [];
      for (let turn = 0; turn < times; turn += 1) {
        nowMs += (bucket.waitMs(nowMs) ?? 0) + 1e-6;
        for (const { member } of bucket.grant(nowMs)) order.push(member);
      }
      return order;
    };
    for (let ticket = 0; ticket < 20; ticket += 1) bucket.ask('busy', 16_000);
    serve(10);
    for (let ticket = 0; ticket < 10; ticket += 1) bucket.ask('late', 16_000);
    const order = serve(10);
    expect(order.filter((member) => member === 'busy').length).toBeGreaterThanOrEqual(4);
  });

  it('forgets a withdrawn ticket, and refuses one that could never be granted', () => {
    const bucket = new TokenBucket(1_000, 0);
    bucket.ask('a', bucket.burstBytes);
    expect(bucket.grant(0)).toHaveLength(1);
    bucket.withdraw(bucket.ask('a', 100));
    expect(bucket.waitMs(0)).toBeNull();
    expect(() => bucket.ask('a', bucket.burstBytes + 1)).toThrow(RangeError);
    expect(() => new TokenBucket(0, 0)).toThrow(RangeError);
  });

  it('goes on at a changed rate', () => {
    const bucket = new TokenBucket(1_000, 0);
    bucket.ask('a', bucket.burstBytes);
    bucket.grant(0);
    bucket.ask('a', 10_000);
    expect(bucket.waitMs(0)).toBe(10_000);
    bucket.changeRate(10_000, 0);
    expect(bucket.waitMs(0)).toBe(1_000);
  });
});
