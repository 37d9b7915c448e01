import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import type { StoredEvent } from '#domain/kernel/event';

import { positionOf } from './codec.js';
import { RecentEvents } from './recent-events.js';

const MOST = 5;
const eventAt = (position: number) => ({ position: positionOf(BigInt(position)) }) as StoredEvent;
/** The log between two places. */
const log = (after: number, upTo: number) =>
  Array.from({ length: upTo - after }, (_, index) => eventAt(after + index + 1));

describe('events that were read lately', () => {
  it('are all that stand behind a place, or none, whatever was read before and in whatever order', () => {
    const place = fc.nat({ max: 20 });
    const look = fc.record({ after: place, count: fc.nat({ max: MOST + 1 }) });
    fc.assert(
      fc.property(fc.array(look), place, place, (looks, after, upTo) => {
        const recent = new RecentEvents(MOST);
        for (const { after: from, count } of looks) recent.keep(BigInt(from), log(from, from + count));
        const found = recent.between(BigInt(after), BigInt(upTo));
        if (found === null) return;
        expect(found).toEqual(log(after, after + found.length));
        expect(after + found.length).toBeGreaterThanOrEqual(upTo);
      }),
    );
  });

  it('are found by who was a little late', () => {
    const recent = new RecentEvents(MOST);
    recent.keep(10n, log(10, 12));
    recent.keep(12n, log(12, 14));
    expect(recent.between(11n, 13n)).toEqual(log(11, 14));
    expect(recent.between(14n, 14n)).toEqual([]);
    expect(recent.between(9n, 13n)).toBeNull();
    expect(recent.between(11n, 15n)).toBeNull();
  });

  it('are not kept where one is missing', () => {
    const recent = new RecentEvents(MOST);
    recent.keep(10n, [eventAt(11), eventAt(13)]);
    expect(recent.between(10n, 11n)).toBeNull();
  });
});
