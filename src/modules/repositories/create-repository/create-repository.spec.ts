import { describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';

import type { CommandContext, Decision } from '#domain/kernel/command-context';
import type { StoredEvent } from '#domain/kernel/event';
import { SystemClock } from '#platform/clock/system.clock';
import { Aggregates } from '#platform/event-store/aggregates';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import type { LocalRepositoryStorage } from '#platform/repositories/local-repository-storage.port';

import type { StorageInfo } from '../storage-info.js';
import { CreateRepository, CreateRepositoryHandler } from './create-repository.handler.js';

const request = {
  ...{ name: 'main', type: 'local', config: { path: '/srv/link' }, enabled: true },
  ...{ is_immutable: false, min_retention_days: 0 },
};
const context: CommandContext = {
  ...{ actor: { kind: 'user', id: 'u-1' }, correlationId: 'c-1', causationId: 'c-1', commandId: 'c-1' },
};

describe('making a repository', () => {
  it('records it at once at its real path, in the name of who asked, and waits for no saga', async () => {
    const store = new InMemoryEventStore();
    const storage = { prepare: () => Promise.resolve('/srv/real') } as unknown as LocalRepositoryStorage;
    const info = { of: () => Promise.resolve(null) } as unknown as StorageInfo;
    const nothingYet = { findOneBy: () => Promise.resolve(null) };
    const rows = { getRepository: () => nothingYet } as unknown as DataSource;
    const handler = new CreateRepositoryHandler(new Aggregates(store), storage, info, new SystemClock(), rows);
    const heard: string[] = [];
    const witness = { decided: ({ position }: Decision) => void heard.push(position) };
    const command = new CreateRepository(request, { ...context, witness });
    const { repository, pending } = await handler.execute(command);
    expect(pending).toBe(true);
    const events: StoredEvent[] = [];
    for await (const event of store.readAll()) events.push(event);
    expect(events).toMatchObject([
      { type: 'RepositoryPlaceReserved' },
      {
        type: 'RepositoryCreated',
        data: { repositoryId: repository.id, path: '/srv/real' },
        metadata: { actor: context.actor, causationId: events[0]?.id },
      },
    ]);
    const positions = events.map(({ position }) => position);
    expect(heard).toEqual(positions);
    // Also when the same command comes again.
    await handler.execute(command);
    expect(heard).toEqual([...positions, ...positions]);
  });
});
