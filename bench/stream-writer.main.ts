import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import type { NewEvent } from '#domain/kernel/event';
import { Database } from '#platform/database/database';
import { PostgresEventStore } from '#platform/event-store/postgres/postgres.event-store';
import { pinoLogger } from '#platform/logging/pino.logger';

/** Appends so many events a second to a log, each with the moment when it was handed over; then one that says it was the last. */
const { values } = parseArgs({ options: { rate: { type: 'string' }, seconds: { type: 'string' } } });
const PER_APPEND = 20;
const total = Number(values.rate) * Number(values.seconds);
const FILLING = 'x'.repeat(300);

function event(type: string): NewEvent {
  const id = randomUUID();
  const metadata = {
    actor: { kind: 'system', id: 'bench' },
    correlationId: id,
    causationId: id,
    schemaVersion: 1,
  } as const;
  return { id, type, data: { at: Date.now(), text: FILLING }, metadata };
}

const database = new Database(process.env['DATABASE_URL'] ?? '');
const store = new PostgresEventStore(database, pinoLogger('warn'));
const began = performance.now();
let latest = Promise.resolve();
for (let written = 0; written < total; written += PER_APPEND) {
  const dueMs = (written / Number(values.rate)) * 1000;
  const earlyMs = dueMs - (performance.now() - began);
  if (earlyMs > 1) await pause(earlyMs);
  const events = Array.from({ length: PER_APPEND }, () => event('BenchTicked'));
  const append = store.append(`bench-${randomUUID()}`, 'no-stream', events);
  // Two under way at once: a slow commit doesn't slow the writer down, and none is left behind unseen.
  await latest;
  latest = append.then(() => undefined);
}
await latest;
const seconds = (performance.now() - began) / 1000;
await store.append(`bench-${randomUUID()}`, 'no-stream', [event('BenchEnded')]);
await store.close();
await database.close();
console.log(JSON.stringify({ written: total, seconds }));
