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

const quiet = { debug: () => undefined, info: () => undefined, error: () => undefined };

const METADATA = { actor: { kind: 'system', id: 'test' }, correlationId: 'c', causationId: 'c', schemaVersion: 1 };

/** Counts what is read. */
class CountingStore extends InMemoryEventStore {
  eventsRead = 0;

  override async *readStream(...given: Parameters<InMemoryEventStore['readStream']>) {
    for await (const event of super.readStream(...given)) {
      this.eventsRead += 1;
      yield event;
    }
  }
}

/** Somebody with this role, and the right password or not, logs in. */
async function loggingIn(role: UserRole, { logins = 0, matches = true, isKnown = true } = {}) {
  const store = new CountingStore();
  const userId = userIdOf('vma');
  const created: UserEvent = { type: 'UserCreated', data: { userId, username: 'vma', role } };
  await store.append(`user-${userId}`, 'no-stream', [{ ...created, id: newId(), metadata: METADATA } as never]);
  for (let login = 0; login < logins; login += 1) {
    await store.append(`user-${userId}`, 'any', [
      { type: 'UserLoggedIn', data: { userId }, id: newId(), metadata: METADATA } as never,
    ]);
  }
  const opened: string[] = [];
  const warnings: object[] = [];
  const passwords = {
    matches: () => Promise.resolve(matches),
    exists: () => Promise.resolve(isKnown),
  } as unknown as Passwords;
  const sessions = {
    open: (whose: string) => Promise.resolve({ token: 't', expiresAt: new Date(opened.push(whose)) }),
  } as unknown as Sessions;
  const logger = { ...quiet, warn: (fields: object) => void warnings.push(fields) };
  const handler = new LogInHandler(new LoginAttempts(), passwords, sessions, new Aggregates(store), logger);
  const logIn = () => handler.execute(new LogIn('vma', 'a-long-password', '192.0.2.1', 'c-1'));
  const types = async () => {
    const found: string[] = [];
    for await (const { type } of store.readAll()) found.push(type);
    return found;
  };
  return { logIn, opened, types, warnings, store, userId };
}

describe('logging in', () => {
  it('opens a session and leaves a fact', async () => {
    const { logIn, opened, types } = await loggingIn('viewer');
    expect(await logIn()).toMatchObject({ success: true });
    expect(opened).toHaveLength(1);
    expect(await types()).toEqual(['UserCreated', 'UserLoggedIn']);
  });

  it('fails for a user that an earlier version gave the role of appliances, without a fact or a session', async () => {
    const { logIn, opened, types } = await loggingIn('agent');
    await expect(logIn()).rejects.toMatchObject({ code: 'login-failed' });
    expect(opened).toEqual([]);
    expect(await types()).toEqual(['UserCreated']);
  });

  it('opens a session for a user that was given another role after all, however many came before', async () => {
    const { logIn, store, userId } = await loggingIn('agent', { logins: 20 });
    const again = {
      type: 'UserCreated',
      data: { userId, username: 'vma', role: 'viewer' },
      id: newId(),
      metadata: METADATA,
    };
    await store.append(`user-${userId}`, 'any', [again as never]);
    for (let login = 0; login < 2; login += 1) expect(await logIn()).toMatchObject({ success: true });
  });

  it('reads as much after a thousand logins as after ten', async () => {
    const few = await loggingIn('viewer', { logins: 10 });
    const many = await loggingIn('viewer', { logins: 1000 });
    await Promise.all([few.logIn(), many.logIn()]);
    expect(many.store.eventsRead).toBe(few.store.eventsRead);
    expect((await many.types()).slice(-2)).toEqual(['UserLoggedIn', 'UserLoggedIn']);
  });

  it('leaves a trace when it fails: from where, and whose account where there is one', async () => {
    const known = await loggingIn('viewer', { matches: false });
    await expect(known.logIn()).rejects.toMatchObject({ code: 'login-failed' });
    expect(known.warnings).toEqual([{ address: '192.0.2.1', correlationId: 'c-1', user: known.userId }]);
    const unknown = await loggingIn('viewer', { matches: false, isKnown: false });
    for (let attempt = 0; attempt < 11; attempt += 1) await unknown.logIn().catch(() => undefined);
    expect(unknown.warnings).toHaveLength(11);
    expect(unknown.warnings[0]).toEqual({ address: '192.0.2.1', correlationId: 'c-1', user: null });
    expect(unknown.warnings[10]).toEqual({ address: '192.0.2.1', correlationId: 'c-1' });
  });
});
