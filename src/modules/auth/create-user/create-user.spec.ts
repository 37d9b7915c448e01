import { describe, expect, it } from '@jest/globals';

import type { CommandContext } from '#domain/kernel/command-context';
import { Passwords } from '#platform/auth/passwords.port';
import { Aggregates } from '#platform/event-store/aggregates';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import { newId } from '#platform/ids/ids';

import { userIdOf } from '../user-id.js';
import { CreateUser, CreateUserHandler } from './create-user.handler.js';

/** Keeps passwords as they are, unless OMA is killed before. */
class MemoryPasswords extends Passwords {
  private readonly kept = new Map<string, string>();
  isKilledBefore = false;
  /** Everybody looks before anybody has kept one. */
  looksEarly = false;

  exists(userId: string): Promise<boolean> {
    return Promise.resolve(!this.looksEarly && this.kept.has(userId));
  }

  setFirst(userId: string, password: string): Promise<boolean> {
    if (this.isKilledBefore) return Promise.reject(new Error('killed'));
    const isFirst = !this.kept.has(userId);
    if (isFirst) this.kept.set(userId, password);
    return Promise.resolve(isFirst);
  }

  matches(userId: string, password: string): Promise<boolean> {
    return Promise.resolve(this.kept.get(userId) === password);
  }
}

function command(): CommandContext {
  const id = newId();
  return { actor: { kind: 'user', id: 'u1' }, correlationId: id, causationId: id, commandId: id };
}

function world() {
  const store = new InMemoryEventStore();
  const passwords = new MemoryPasswords();
  const handler = new CreateUserHandler(new Aggregates(store), passwords);
  const create = (password: string, context = command(), role: 'viewer' | 'admin' = 'viewer') =>
    handler.execute(new CreateUser('ada', password, role, context));
  /** Somebody creates the user, and OMA is killed before the password is kept. */
  const cutOff = async (context = command()) => {
    passwords.isKilledBefore = true;
    await expect(create('lost', context)).rejects.toThrow('killed');
    passwords.isKilledBefore = false;
  };
  return { store, passwords, create, cutOff };
}

describe('creating a user, cut off before the password was kept,', () => {
  it('is finished by the same command', async () => {
    const { store, passwords, create, cutOff } = world();
    const context = command();
    await cutOff(context);
    const { id } = await create('lost', context);
    expect(await create('lost', context)).toMatchObject({ id });
    expect(await passwords.matches(id, 'lost')).toBe(true);
    expect(await eventsOf(store)).toBe(1);
  });

  it('is finished by the next command about that user, which is in the log as well', async () => {
    const { store, passwords, create, cutOff } = world();
    await cutOff();
    const { id } = await create('found');
    expect(await passwords.matches(id, 'found')).toBe(true);
    expect(await eventsOf(store)).toBe(2);
    await expect(create('found')).rejects.toMatchObject({ code: 'already-exists' });
  });

  it('is not finished in another role', async () => {
    const { create, cutOff } = world();
    await cutOff();
    await expect(create('found', command(), 'admin')).rejects.toMatchObject({ code: 'already-exists' });
  });

  it('is finished by one only of several at once, and the others are told so', async () => {
    const { passwords, create, cutOff } = world();
    await cutOff();
    passwords.looksEarly = true;
    const given = ['one', 'other', 'third'];
    const made = await Promise.allSettled(given.map((password) => create(password)));
    const told = given.filter((_, index) => made[index]?.status === 'fulfilled');
    const userId = userIdOf('ada');
    const good = await Promise.all(given.map((password) => passwords.matches(userId, password)));
    expect(told).toEqual(given.filter((_, index) => good[index]));
    expect(told).toHaveLength(1);
  });
});

async function eventsOf(store: InMemoryEventStore): Promise<number> {
  let count = 0;
  for await (const { type } of store.readAll()) if (type === 'UserCreated') count += 1;
  return count;
}
