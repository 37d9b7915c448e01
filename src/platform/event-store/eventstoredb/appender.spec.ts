import { describe, expect, it } from '@jest/globals';

import type { NewEvent } from '#domain/kernel/event';

import { Appender } from './appender.js';
import type { EventStoreDbClient } from './client.js';
import { StreamNames } from './codec.js';
import type { Reader } from './reader.js';
import { LogReplaced, SameLog } from './same-log.js';

const event: NewEvent = {
  ...{ id: '00000000-0000-4000-8000-000000000001', type: 'Happened', data: {} },
  metadata: { actor: { kind: 'user', id: 'somebody' }, correlationId: 'c', causationId: 'c', schemaVersion: 1 },
};

describe('an append to a log in EventStoreDB', () => {
  it.each(['another', 'one'])('is acknowledged when it went to "one"; it went to "%s"', async (id) => {
    const sameLog = new SameLog(() => Promise.resolve(id));
    sameLog.isCalled('one');
    const append = () => {
      // The connection was lost since somebody last looked, and the client has gone over to the next.
      sameLog.doubt();
      return Promise.resolve({ revision: 0n, position: { commit: 1n, prepare: 1n } });
    };
    const appender = new Appender(
      { append } as unknown as EventStoreDbClient,
      { newest: '', saw: () => undefined } as unknown as Reader,
      new StreamNames(''),
      sameLog,
      new AbortController().signal,
    );
    const appending = appender.append('a-1', 'no-stream', [event]);
    if (id === 'one') expect(await appending).toMatchObject({ revision: 0n, duplicate: false });
    else await expect(appending).rejects.toThrow(LogReplaced);
  });
});
