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
const AT_ONCE = 32;
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
const underWay = new Set<Promise<unknown>>();
for (let written = 0; written < total; written += PER_APPEND) {
  const dueMs = (written / Number(values.rate)) * 1000;
  const earlyMs = dueMs - (performance.now() - began);
  if (earlyMs > 1) await pause(earlyMs);
  const events = Array.from({ length: PER_APPEND }, () => event('BenchTicked'));
  const append = store.append(`bench-${randomUUID()}`, 'no-stream', events);
  underWay.add(append);
  void append.then(() => underWay.delete(append));
  // A slow commit doesn't slow the writer down, and a store that can't follow isn't buried.
  if (underWay.size >= AT_ONCE) await Promise.race(underWay);
}
await Promise.all(underWay);
const seconds = (performance.now() - began) / 1000;
await store.append(`bench-${randomUUID()}`, 'no-stream', [event('BenchEnded')]);
await store.close();
await database.close();
console.log(JSON.stringify({ written: total, seconds }));
