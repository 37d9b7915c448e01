import { Injectable } from '@nestjs/common';

import { user } from '#domain/access/user';
import { FirstPassword } from '#platform/auth/first-password.port';
import { Passwords } from '#platform/auth/passwords.port';
import { Aggregates } from '#platform/event-store/aggregates';
import { idFor, newId } from '#platform/ids/ids';

import { userIdOf } from './user-id.js';

const ADMIN = 'admin';

/** The user without whom nobody could create users. */
@Injectable()
export class FirstAdmin {
  constructor(
    private readonly aggregates: Aggregates,
    private readonly passwords: Passwords,
    private readonly first: FirstPassword,
  ) {}

  /** Creates the user `admin` at the first start; harmless afterwards, also when the first start was cut short. */
  async ensure(): Promise<void> {
    const userId = userIdOf(ADMIN);
    if (await this.passwords.exists(userId)) return;
    const stream = `user-${userId}`;
    const commandId = idFor('first admin', userId);
    await this.aggregates.handle({
      decider: user,
      stream,
      command: { type: 'CreateUser', userId, username: ADMIN, role: 'admin', isUnfinished: false },
      context: {
        actor: { kind: 'system', id: 'first-start' },
        correlationId: newId(),
        causationId: commandId,
        commandId,
      },
    });
    await this.first.choose((password) => this.passwords.setFirst(userId, password));
  }
}
