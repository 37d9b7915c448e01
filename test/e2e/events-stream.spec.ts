import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import type { Logger } from '#platform/logging/logger.port';

import { all } from '../kit/event-stores.js';
import { EventListener } from '../kit/event-listener.js';
import { eventually } from '../kit/eventually.js';
import { OutsideWriter } from '../kit/outside-writer.js';
import { ADMIN_PASSWORD, runningOma, type RunningOma } from '../kit/running-oma.js';
import { POSITION_AHEAD } from '../kit/store-settings.js';

const MAX_PER_USER = 16;

describe('the stream of events', () => {
  const warnings: string[] = [];
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (_fields, message) => {
      warnings.push(message);
    },
    error: () => undefined,
  };
  let oma: RunningOma;
  let writer: OutsideWriter;
  const open: EventListener[] = [];

  beforeAll(async () => {
    oma = await runningOma({}, logger);
    writer = await OutsideWriter.beside(oma);
  }, 60_000);

  afterAll(async () => {
    await writer.close();
    await oma.clear();
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((listener) => listener.cut()));
  });

  const listen = async (query = '', headers: Record<string, string> = {}, api = oma.api) => {
    const listener = await EventListener.open(api, query, headers);
    open.push(listener);
    return listener;
  };

  /** The number of a series in the metrics; 0 before there is one. */
  const measured = async (series: string) => {
    const text = await (await oma.api.open('/metrics')).text();
    return Number(new RegExp(`^${series} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  };

  it('shows what happens from now on, as the audit trail does', async () => {
    const listener = await listen();
    expect(listener.response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    await oma.api.post('/users', { username: 'sara', password: 'a-long-password', role: 'viewer' });
    const [event] = await listener.came(1);
    expect(event).toMatchObject({ type: 'UserCreated', data: { username: 'sara' } });
    expect(listener.lastId).toBe(event?.position);
    const audited = await eventually(async () => {
      const { body } = await oma.api.get<{ events: Record<string, unknown>[] }>('/audit?type=UserCreated&limit=1');
      expect(body.events[0]?.['event_id']).toBe(event?.event_id);
      return body.events[0];
    });
    expect({ ...audited, ...event, actor: null }).toEqual({ ...audited, actor: null });
  });

  it('goes on exactly after the last event that came, however often it is cut', async () => {
    const before = await writer.write();
    const state = { isWriting: true };
    const writers = Promise.all(
      Array.from({ length: 4 }, async (_, one) => {
        for (let number = 0; number < 250; number += 1) await writer.write('UserLoggedOut', { one, number });
      }),
    ).then(() => {
      state.isWriting = false;
    });
    const seen: string[] = [];
    let lastId = before;
    for (let round = 0; state.isWriting || seen.length < 1000; round += 1) {
      expect(round).toBeLessThan(2000);
      const listener = await EventListener.open(oma.api, 'types=UserLoggedOut', { 'last-event-id': lastId });
      await listener.came(1 + (round % 40), 2).catch(() => undefined);
      await listener.cut();
      seen.push(...listener.events.map((event) => event.position));
      if (listener.lastId !== '') lastId = listener.lastId;
    }
    await writers;
    const stored = await all(writer.store.readAll({ after: before, types: ['UserLoggedOut'] }));
    expect(seen).toEqual(stored.map((event) => event.position));
  }, 60_000);

  it('begins wherever it is told to, at the very beginning too', async () => {
    const listener = await listen('after=');
    const stored = await all(writer.store.readAll());
    const events = await listener.came(stored.length);
    expect(events.map((event) => event.event_id)).toEqual(stored.map((event) => event.id));
  });

  it('shows only the types, the VM and the request that are asked for', async () => {
    const after = await writer.write();
    const byType = await listen(`after=${after}&types=ProjectionRetryRequested,ProjectionRebuildCancelled`);
    const byVm = await listen(`after=${after}&vm_context_id=ctx-1`);
    await writer.write('ProjectionRetryRequested', { contextId: 'ctx-1' }, 'backup-b1');
    await writer.write('Noted', { jobId: 'b1' }, 'backup-b1');
    await writer.write('SagaInputReceived', { type: 'x', data: { contextId: 'ctx-1' } }, 'takebackup-b1');
    await writer.write('ProjectionRebuildCancelled', {}, 'takebackup-b1');
    await writer.write('Noted', { contextId: 'ctx-2' });
    await writer.write('Reserved', { by: 'ctx-1', creates: { category: 'context' } }, 'vmidentity-v1');
    expect((await byType.came(2)).map(({ type }) => type)).toEqual([
      'ProjectionRetryRequested',
      'ProjectionRebuildCancelled',
    ]);
    // What the reservation sets going is about the VM, too.
    expect((await byVm.came(5)).slice(0, 5).map(({ stream }) => stream.split('-')[0])).toEqual([
      'backup',
      'backup',
      'takebackup',
      'takebackup',
      'vmidentity',
    ]);
    const asked = { 'x-correlation-id': 'just-this-request' };
    const byRequest = await listen('correlation_id=just-this-request');
    await writer.write();
    await oma.api.post('/users', { username: 'carl', password: 'a-long-password', role: 'viewer' }, asked);
    const [only] = await byRequest.came(1);
    expect(only).toMatchObject({ type: 'UserCreated', correlation_id: 'just-this-request' });
  });

  it.each([
    ['UserCreatd', '"UserCreatd" is no event type'],
    ['UserCreated,backupcompleted, Nonsense', '"backupcompleted", "Nonsense" are no event type'],
    ['UserCreated,', '"" is no event type'],
    [',,', '"", "", "" are no event type'],
  ])('refuses the types %s, which nobody would ever see, and says which it does not know', async (types, why) => {
    const answer = await oma.api.get(`/events/stream?types=${types}`);
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'malformed-request', errors: [{ field: 'types' }] },
    });
    expect(answer.body['detail']).toBe(`types: ${why}; docs/events.md lists them`);
  });

  it('tells how far it is when nothing was wanted', async () => {
    const listener = await listen('types=MountFailed');
    const position = await writer.write();
    await eventually(() => {
      expect(listener.lastId >= position).toBe(true);
    });
    expect(listener.events).toEqual([]);
  });

  it.each([
    ['nonsense', 'unknown-position'],
    ['7', 'unknown-position'],
    ['-1', 'unknown-position'],
    ['00000000000000000001/00000000000000000001', 'unknown-position'],
    ['9'.repeat(20), 'unknown-position'],
    ['x'.repeat(10_000), 'unknown-position'],
    ['0000000000000000000é', 'unknown-position'],
    [POSITION_AHEAD, 'position-ahead-of-log'],
  ])('refuses the position %.30s and names the newest one', async (position, code) => {
    const after = await writer.write();
    for (const answer of [
      await oma.api.get('/events/stream', { 'last-event-id': position }),
      await oma.api.get(`/events/stream?after=${encodeURIComponent(position)}`),
    ]) {
      expect(answer).toMatchObject({ status: 400, body: { code } });
      expect(String(answer.body['newest_position']) >= after).toBe(true);
    }
  });

  it.each(['%0a', '%0d%0aid:%201', '%00'])('refuses the position %s, which would forge lines', async (position) => {
    expect((await oma.api.get(`/events/stream?after=${position}`)).status).toBe(400);
  });

  it('gives a user so many at once, and each place back when it is left', async () => {
    for (let count = 0; count < MAX_PER_USER; count += 1) await listen();
    const refused = await oma.api.get('/events/stream');
    expect(refused).toMatchObject({ status: 429, body: { code: 'too-many-streams' } });
    expect(refused.headers.get('retry-after')).not.toBeNull();
    await open.pop()?.cut();
    await eventually(() => listen());
  });

  it('forgets those who go away before it begins', async () => {
    const before = await measured('oma_event_streams_open');
    for (let round = 0; round < 10 * MAX_PER_USER; round += 1) {
      const leaving = deafReader(oma.api.url, oma.api.token);
      await once(leaving, 'connect');
      await pause(round % 20);
      leaving.destroy();
    }
    await eventually(async () => {
      expect(await measured('oma_event_streams_open')).toBe(before);
    });
    await listen();
  }, 60_000);

  it('is not opened by those who only ask for its head', async () => {
    for (let count = 0; count <= MAX_PER_USER; count += 1) {
      const response = await fetch(`${oma.api.url}/api/v1/events/stream`, {
        method: 'HEAD',
        headers: { authorization: `Bearer ${oma.api.token}` },
      });
      expect(response.status).toBe(200);
    }
    await listen();
  });

  it('ends at once when its reader signs out', async () => {
    const leaving = oma.api.as('');
    await leaving.logIn('admin', ADMIN_PASSWORD);
    const listener = await listen('', {}, leaving);
    const staying = await listen();
    await leaving.post('/auth/logout');
    await eventually(() => {
      expect(listener.isOver).toBe(true);
    }, 3);
    expect(listener.comments.at(-1)).toBe('closed, signed-out');
    expect(staying.isOver).toBe(false);
  });

  it.each(['', 'types=MountClosed'])(
    'ends soon after the session of its reader ran out, asked for %j',
    async (query) => {
      const expiring = oma.api.as('');
      await expiring.logIn('admin', ADMIN_PASSWORD);
      const listener = await listen(query, {}, expiring);
      const database = new pg.Client({ connectionString: oma.databaseUrl });
      await database.connect();
      await database.query(
        `update session set expires_at = now() where expires_at = (select max(expires_at) from session)`,
      );
      await database.end();
      await eventually(() => {
        expect(listener.isOver).toBe(true);
      }, 10);
      expect(listener.comments.at(-1)).toBe('closed, signed-out');
    },
  );

  it('shows in the metrics how many read', async () => {
    const before = await measured('oma_event_streams_open');
    const left = await measured('oma_event_streams_closed_total\\{outcome="left"\\}');
    await listen();
    const second = await listen();
    expect(await measured('oma_event_streams_open')).toBe(before + 2);
    await second.cut();
    await eventually(async () => {
      expect(await measured('oma_event_streams_open')).toBe(before + 1);
      expect(await measured('oma_event_streams_closed_total\\{outcome="left"\\}')).toBe(left + 1);
    });
  });

  it('closes who does not read, says and counts so, and lets the others go on', async () => {
    const tooSlow = 'oma_event_streams_closed_total\\{outcome="too-slow"\\}';
    expect(await measured(tooSlow)).toBe(0);
    const slow = deafReader(oma.api.url, oma.api.token);
    const quick = await listen('types=ProjectionRebuildRequested');
    const filling = { text: 'x'.repeat(200_000) };
    for (let count = 0; count < 150; count += 1) await writer.write('ProjectionRebuildRequested', filling);
    await quick.came(150);
    await eventually(() => {
      expect(warnings).toContain('a stream of events was closed: its reader is too slow');
    }, 30);
    slow.resume();
    await eventually(() => {
      expect(slow.destroyed).toBe(true);
    });
    expect(quick.isOver).toBe(false);
    expect(await measured(tooSlow)).toBe(1);
  }, 60_000);

  it('does not keep a clean stop waiting', async () => {
    const listener = await listen();
    const began = performance.now();
    await oma.restart();
    expect(performance.now() - began).toBeLessThan(10_000);
    await eventually(() => {
      expect(listener.isOver).toBe(true);
    });
    expect(listener.comments.at(-1)).toBe('closed, stopping');
  }, 30_000);
});

/** A connection whose receiver never looks at what comes. */
function deafReader(url: string, token: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.pause();
  socket.on('error', () => undefined);
  socket.write(
    [
      'GET /api/v1/events/stream HTTP/1.1',
      `host: ${hostname}:${port}`,
      `authorization: Bearer ${token}`,
      'accept: text/event-stream',
      '',
      '',
    ].join('\r\n'),
  );
  return socket;
}
