import { describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';

import type { CommandContext, Decision } from '#domain/kernel/command-context';
import type { StoredEvent } from '#domain/kernel/event';
import { SystemClock } from '#platform/clock/system.clock';
import { Aggregates } from '#platform/event-store/aggregates';
import { AppendTooLarge } from '#platform/event-store/event-store.port';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { Vault } from '#platform/secrets/vault.port';

import { CreateCredential, CreateCredentialHandler } from './create-credential.handler.js';
import type { CreateCredentialRequest } from './create-credential.request.js';

/** Hands out the references only when everybody has put something in. */
class SlowVault extends Vault {
  readonly kept = new Map<string, string>();
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly everybody: number) {
    super();
  }

  async put(secret: string): Promise<{ ref: string; fingerprint: string }> {
    const ref = `ref-${this.kept.size}`;
    this.kept.set(ref, secret);
    await new Promise<void>((resolve) => {
      this.waiting.push(resolve);
      if (this.waiting.length === this.everybody) for (const go of this.waiting) go();
    });
    return { ref, fingerprint: 'f' };
  }

  open(ref: string): Promise<string> {
    return Promise.resolve(this.kept.get(ref) ?? '');
  }

  forget(ref: string): Promise<void> {
    this.kept.delete(ref);
    return Promise.resolve();
  }
}

const request: CreateCredentialRequest = {
  credential_name: 'main',
  vcenter_host: 'v',
  username: 'u',
  password: 'p',
  datacenter: 'd',
  is_active: true,
  is_default: false,
};
const context: CommandContext = {
  actor: { kind: 'user', id: 'u-1' },
  correlationId: 'c-1',
  causationId: 'c-1',
  commandId: 'c-1',
};

describe('storing a credential', () => {
  const storing = (everybody: number) => {
    const store = new InMemoryEventStore();
    const vault = new SlowVault(everybody);
    let number = 0;
    const numbers = { next: () => Promise.resolve((number += 1)) };
    const nothingYet = { findOneBy: () => Promise.resolve(null), existsBy: () => Promise.resolve(false) };
    const rows = { getRepository: () => nothingYet } as unknown as DataSource;
    const handler = new CreateCredentialHandler(new Aggregates(store), vault, numbers, new SystemClock(), rows);
    return { store, vault, handler };
  };

  it('twice at once by the same command, as after a claim that ran out, answers with one and keeps one password', async () => {
    const { store, vault, handler } = storing(2);
    const heard: string[] = [];
    const witness = { decided: ({ stream }: Decision) => void heard.push(stream) };
    const command = new CreateCredential(request, { ...context, witness });
    const [one, other] = await Promise.all([handler.execute(command), handler.execute(command)]);
    expect(other.shown.credentialId).toBe(one.shown.credentialId);
    const events: StoredEvent[] = [];
    for await (const event of store.readAll()) events.push(event);
    expect(events).toMatchObject([
      { type: 'Reserved' },
      { type: 'CredentialCreated', metadata: { actor: context.actor, causationId: events[0]?.id } },
    ]);
    expect(heard.filter((stream) => stream.startsWith('credential-'))).toHaveLength(2);
    expect([...vault.kept.keys()].map((ref) => JSON.stringify(events[0]?.data).includes(ref))).toEqual([true]);
  });

  it('keeps no password of a credential that is too large for the log', async () => {
    const { vault, handler } = storing(1);
    const tooLarge: CreateCredentialRequest = Object.assign({}, request, { datacenter: 'd'.repeat(2 ** 20) });
    const command = new CreateCredential(tooLarge, context);
    await expect(handler.execute(command)).rejects.toThrow(AppendTooLarge);
    expect([...vault.kept.keys()]).toEqual([]);
  });
});
