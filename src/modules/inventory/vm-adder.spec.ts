import { describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';

import type { CommandContext, Decision } from '#domain/kernel/command-context';
import type { StoredEvent } from '#domain/kernel/event';
import { Aggregates } from '#platform/event-store/aggregates';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { newId } from '#platform/ids/ids';
import type { ProjectionProgress } from '#platform/projections/projection-progress.port';
import type { FoundVm } from '#platform/vma/vma-client.port';

import { VmAdder } from './vm-adder.js';

function vmNamed(name: string): FoundVm {
  const state = { guestOs: 'debian12_64Guest', powerState: 'poweredOn', memoryMb: 1024, cpuCount: 1, vmxVersion: '19' };
  return { id: newId(), name, path: `/dc/vm/${name}`, ...state, disks: [], networks: [] };
}

describe('putting VMs under the care of OMA', () => {
  it('makes each at once, in the name of who asked, and waits for no saga', async () => {
    const store = new InMemoryEventStore();
    const everyRow = { countBy: () => Promise.resolve(2) };
    const rows = { getRepository: () => everyRow } as unknown as DataSource;
    const adder = new VmAdder(new Aggregates(store), rows, {} as ProjectionProgress);
    const id = newId();
    const actor = { kind: 'user', id: 'somebody' } as const;
    const heard: string[] = [];
    const witness = { decided: ({ position }: Decision) => void heard.push(position) };
    const context: CommandContext = { actor, correlationId: id, causationId: id, commandId: id, witness };
    const vms = [vmNamed('web-01'), vmNamed('db-01')];
    const found = { vcenterHost: 'vcenter.test', datacenter: 'dc', credentialId: 1, vms };
    const { outcomes, pending } = await adder.add(null, found, context);
    expect(pending).toBe(false);
    expect(outcomes).toMatchObject([{ isNew: true }, { isNew: true }]);
    const events: StoredEvent[] = [];
    for await (const event of store.readAll()) events.push(event);
    const reserved = events.filter(({ type }) => type === 'Reserved');
    expect(events.filter(({ type }) => type === 'VmContextAdded')).toMatchObject(
      reserved.map(({ id: causationId }) => ({ metadata: { actor, causationId } })),
    );
    expect(heard.sort()).toEqual(events.map(({ position }) => position));
    expect(events).toHaveLength(4);
  });
});
