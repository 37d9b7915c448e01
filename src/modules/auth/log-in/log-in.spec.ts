import { describe, expect, it } from '@jest/globals';

import type { UserEvent, UserRole } from '#domain/access/user';
import { LoginAttempts } from '#platform/auth/login-attempts';
import type { Passwords } from '#platform/auth/passwords.port';
import { Aggregates } from '#platform/event-store/aggregates';
import { InMemoryEventStore } from '#platform/event-store/in-memory.event-store';
import type { Sessions } from '#platform/http/sessions.port';
import { newId } from '#platform/ids/ids';

import { userIdOf } from '../user-id.js';
import { LogIn, LogInHandler } from './log-in.handler.js';

/** Somebody with this role, and the right password, logs in. */
async function loggingIn(role: UserRole) {
  const store = new InMemoryEventStore();
  const userId = userIdOf('vma');
  const created: UserEvent = { type: 'UserCreated', data: { userId, username: 'vma', role } };
  const metadata = { actor: { kind: 'system', id: 'test' }, correlationId: 'c', causationId: 'c', schemaVersion: 1 };
  await store.append(`user-${userId}`, 'no-stream', [{ ...created, id: newId(), metadata } as never]);
  const opened: string[] = [];
  const passwords = { matches: () => Promise.resolve(true) } as unknown as Passwords;
  const sessions = {
    open: (whose: string) => Promise.resolve({ token: 't', expiresAt: new Date(opened.push(whose)) }),
  } as unknown as Sessions;
  const handler = new LogInHandler(new LoginAttempts(), passwords, sessions, new Aggregates(store));
  const answer = handler.execute(new LogIn('vma', 'a-long-password', '127.0.0.1', newId()));
  const types = async () => {
    const found: string[] = [];
    for await (const { type } of store.readAll()) found.push(type);
    return found;
  };
  return { answer, opened, types };
}

describe('logging in', () => {
  it('opens a session and leaves a fact', async () => {
    const { answer, opened, types } = await loggingIn('viewer');
    expect(await answer).toMatchObject({ success: true });
    expect(opened).toHaveLength(1);
    expect(await types()).toEqual(['UserCreated', 'UserLoggedIn']);
  });

  it('fails for a user that an earlier version gave the role of appliances, without a fact or a session', async () => {
    const { answer, opened, types } = await loggingIn('agent');
    await expect(answer).rejects.toMatchObject({ code: 'login-failed' });
    expect(opened).toEqual([]);
    expect(await types()).toEqual(['UserCreated']);
  });
});
