import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

import { user, type UserRole } from '#domain/access/user';
import type { CommandContext } from '#domain/kernel/command-context';
import { Passwords } from '#platform/auth/passwords.port';
import { Aggregates } from '#platform/event-store/aggregates';

import { userIdOf } from '../user-id.js';
import type { NewUserResponse } from '../user.response.js';

export class CreateUser extends Command<NewUserResponse> {
  constructor(
    readonly username: string,
    readonly password: string,
    readonly role: UserRole,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(CreateUser)
export class CreateUserHandler implements ICommandHandler<CreateUser> {
  constructor(
    private readonly aggregates: Aggregates,
    private readonly passwords: Passwords,
  ) {}

  /** The fact first: it is what keeps the name unique. Without the password, nobody can log in. */
  async execute({ username, password, role, context }: CreateUser): Promise<NewUserResponse> {
    const userId = userIdOf(username);
    await this.aggregates.handle({
      decider: user,
      stream: `user-${userId}`,
      command: { type: 'CreateUser', userId, username, role },
      context,
    });
    await this.passwords.set(userId, password);
    return { id: userId, username, role };
  }
}
