import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

import { UsernameTaken } from '#domain/access/access.errors';
import { user, type UserRole } from '#domain/access/user';
import type { CommandContext } from '#domain/kernel/command-context';
import { Passwords } from '#platform/auth/passwords.port';
import { until } from '#platform/clock/until';
import { Aggregates } from '#platform/event-store/aggregates';

import { userIdOf } from '../user-id.js';
import type { NewUserResponse } from '../user.response.js';

/** Far longer than a password takes to be hashed and kept. */
const KEPT_WITHIN_MS = 2000;

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

  /**
   * The fact first: it is what keeps the name unique. Where OMA was killed before the password was kept, the same command finishes it,
   * and so does the next one about this user. Of several that finish it at once the first counts, and no other is told of success.
   */
  async execute({ username, password, role, context }: CreateUser): Promise<NewUserResponse> {
    const userId = userIdOf(username);
    const create = (isUnfinished: boolean) =>
      this.aggregates.handle({
        decider: user,
        stream: `user-${userId}`,
        command: { type: 'CreateUser', userId, username, role, isUnfinished },
        context,
      });
    try {
      await create(false);
    } catch (error) {
      if (!(error instanceof UsernameTaken) || (await this.hasPassword(userId))) throw error;
      await create(true);
    }
    const isKept =
      (await this.passwords.setFirst(userId, password)) || (await this.passwords.matches(userId, password));
    if (!isKept) throw new UsernameTaken(username);
    return { id: userId, username, role };
  }

  /** Whoever made the user just now may still be at it. */
  private async hasPassword(userId: string): Promise<boolean> {
    const kept = await until(async () => ((await this.passwords.exists(userId)) ? true : null), KEPT_WITHIN_MS);
    return kept !== null;
  }
}
