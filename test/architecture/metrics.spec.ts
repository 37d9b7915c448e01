import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

import { Database } from '#platform/database/database';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { MeasuredEventStore } from '#platform/metrics/measured.event-store';
import { Metrics } from '#platform/metrics/metrics.port';

import { measure } from '../../src/measures.js';
import { unconnectedApp } from '../../src/unconnected-app.js';
import { silentLog } from '../kit/silent-log.js';

/** Labels of which everybody can see that they have few values. */
const BOUNDED = ['kind', 'method', 'outcome', 'projection', 'route', 'saga', 'source', 'state', 'status', 'type'];

describe('the metrics', () => {
  let app: NestFastifyApplication;
  let metrics: Metrics;

  beforeAll(async () => {
    app = await unconnectedApp();
    metrics = app.get(Metrics);
    const database = new Database('postgres://nobody@localhost/none');
    const store = new PostgresEventStore(database, silentLog);
    new MeasuredEventStore(store, metrics);
    const runner = { onAdvance: () => () => undefined, status: () => Promise.resolve([]) };
    measure(metrics, { database, runner, worker: { onAttempt: () => undefined, kinds: [] } });
    await store.close();
    await database.close();
  });

  afterAll(async () => {
    await app.close();
  });

  it('are the ones that docs/operations.md lists, with type and labels', () => {
    const table = readFileSync('docs/operations.md', 'utf8').matchAll(/^\| `(oma_\w+)` *\| (\w+) *\| ([^|]*?) *\|/gm);
    const documented = [...table].map(([, name, type, labels = '']) => ({
      name,
      type,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label),
    }));
    const measured = metrics.described().map(({ name, type, labels = [] }) => ({ name, type, labels }));
    const byName = (one: { name: string | undefined }, other: { name: string | undefined }) =>
      String(one.name).localeCompare(String(other.name), 'en');
    expect(documented.sort(byName)).toEqual(measured.sort(byName));
  });

  it('have labels of few values only, and names that say the unit', () => {
    for (const { name, type, labels = [] } of metrics.described()) {
      expect({ name, unbounded: labels.filter((label) => !BOUNDED.includes(label)) }).toEqual({ name, unbounded: [] });
      if (type === 'counter') expect(name).toMatch(/_total$/);
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    }
  });
});
