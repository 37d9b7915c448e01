import { describe, expect, it } from '@jest/globals';

import { Filter, type PageStatement, pageText } from './views.js';

const STATES = ['running', 'completed'] as const;
const HOSTILE = [`' or '1'='1`, `running' --`, `'; drop table job; --`, '$1', '\\', `running\u2019`, 'RUNNING', ''];

const page = (filter: Filter, more: Partial<PageStatement> = {}): PageStatement => ({
  columns: 'one.*',
  view: 'job',
  filter,
  order: ['one.created_at', 'one.job_id'],
  after: null,
  limit: 100,
  ...more,
});

describe('the filter of a list', () => {
  it('is nothing when nothing is wanted', () => {
    const filter = new Filter()
      .on(undefined, (place) => `one.vm = ${place}`)
      .oneOf(undefined, STATES, (place) => `one.status = ${place}`);
    expect([filter.where, filter.values]).toEqual(['', []]);
  });

  it('tells each value apart from the statement, in the order of the places', () => {
    const filter = new Filter()
      .on('vm-1', (place) => `one.vm = ${place}`)
      .oneOf('running', STATES, (place) => `one.status = ${place}`)
      .on(false, (place) => `one.enabled = ${place}`);
    expect(filter.where).toBe(`where one.vm = $1 and one.status = 'running' and one.enabled = $2`);
    expect(filter.values).toEqual(['vm-1', false]);
  });

  it.each(HOSTILE)('never writes %j into the statement, though it stands where known words are written', (hostile) => {
    const filter = new Filter().oneOf(hostile, STATES, (place) => `one.status = ${place}`);
    expect(filter.where).toBe('where one.status = $1');
    expect(filter.values).toEqual([hostile]);
  });

  it('makes one statement of all values that somebody may send, so that their number has an end', () => {
    const textFor = (value: string, limit: number) =>
      pageText(
        page(
          new Filter().on(value, (place) => `one.vm = ${place}`).oneOf(value, STATES, (place) => `one.s = ${place}`),
          { after: [value, value], limit },
        ),
      );
    const texts = HOSTILE.flatMap((value) => [2, 7, 99, 101, 999].map((limit) => textFor(value, limit)));
    expect(new Set(texts).size).toBe(1);
  });

  it('goes on behind a place, in the direction of the list', () => {
    const filter = new Filter().on('vm-1', (place) => `one.vm = ${place}`);
    const text = pageText(page(filter, { after: ['2026-01-01', `' or true`], descending: true, limit: 7 }));
    expect(text.replace(/\s+/g, ' ')).toBe(
      'select one.* from "job" one where one.vm = $1 and (one.created_at, one.job_id) < ($2, $3) ' +
        'order by one.created_at desc, one.job_id desc limit $4',
    );
    expect(filter.values).toEqual(['vm-1', '2026-01-01', `' or true`, 8]);
  });

  it('asks for one row more than the usual limits, which are part of the statement', () => {
    const filter = new Filter();
    expect(pageText(page(filter))).toMatch(/limit 101$/);
    expect(filter.values).toEqual([]);
  });
});
