import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

import { user, USER_BEGINS_WITH } from '#domain/access/user';
import type { CommandContext } from '#domain/kernel/command-context';
import { Aggregates } from '#platform/event-store/aggregates';
import { Sessions } from '#platform/http/sessions.port';

import type { LogOutResponse } from './log-out.response.js';

export class LogOut extends Command<LogOutResponse> {
  constructor(
    readonly token: string,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(LogOut)
export class LogOutHandler implements ICommandHandler<LogOut> {
  constructor(
    private readonly sessions: Sessions,
    private readonly aggregates: Aggregates,
  ) {}

  async execute({ token, context }: LogOut): Promise<LogOutResponse> {
    await this.sessions.revoke(token);
    const userId = context.actor.id;
    const command = { type: 'RecordLogout', userId } as const;
    const needsFirst = USER_BEGINS_WITH;
    await this.aggregates.handle({ decider: user, stream: `user-${userId}`, command, context, needsFirst });
    return { success: true };
  }
}
