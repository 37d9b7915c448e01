import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

import { RoleIsForAppliances } from '#domain/access/access.errors';
import { user, USER_BEGINS_WITH } from '#domain/access/user';
import { LoginAttempts } from '#platform/auth/login-attempts';
import { Passwords } from '#platform/auth/passwords.port';
import { Aggregates } from '#platform/event-store/aggregates';
import { LoginFailed } from '#platform/http/edge.errors';
import { Sessions } from '#platform/http/sessions.port';
import { Logger } from '#platform/logging/logger.port';
import { newId } from '#platform/ids/ids';

import { userIdOf } from '../user-id.js';
import type { LogInResponse } from './log-in.response.js';

export class LogIn extends Command<LogInResponse> {
  constructor(
    readonly username: string,
    readonly password: string,
    readonly address: string,
    readonly correlationId: string,
  ) {
    super();
  }
}

@CommandHandler(LogIn)
export class LogInHandler implements ICommandHandler<LogIn> {
  constructor(
    private readonly attempts: LoginAttempts,
    private readonly passwords: Passwords,
    private readonly sessions: Sessions,
    private readonly aggregates: Aggregates,
    private readonly logger: Logger,
  ) {}

  async execute({ username, password, address, correlationId }: LogIn): Promise<LogInResponse> {
    const userId = userIdOf(username);
    await this.requireMatch(userId, { password, address, correlationId });
    await this.attempts.succeeded(userId, address);
    const commandId = newId();
    const call = {
      decider: user,
      stream: `user-${userId}`,
      command: { type: 'RecordLogin', userId },
      context: { actor: { kind: 'user', id: userId }, correlationId, causationId: commandId, commandId },
    } as const;
    await this.aggregates
      .handle({ ...call, needsFirst: USER_BEGINS_WITH })
      // Somebody who had that role once may have been given another, however late: all of the stream tells.
      .catch((error: unknown) => {
        if (!(error instanceof RoleIsForAppliances)) throw error;
        return this.aggregates.handle(call);
      })
      .catch((error: unknown) => {
        throw error instanceof RoleIsForAppliances ? new LoginFailed() : error;
      });
    const { token, expiresAt } = await this.sessions.open(userId);
    return { success: true, session_token: token, expires_at: expiresAt.toISOString() };
  }

  /** Throws LoginFailed or TooManyAttempts, and tells of it: who guesses at passwords must leave a trace. */
  private async requireMatch(
    userId: string,
    { password, ...told }: Pick<LogIn, 'password' | 'address' | 'correlationId'>,
  ): Promise<void> {
    try {
      await this.attempts.begin(userId, told.address);
    } catch (error) {
      this.logger.warn(told, 'a login was refused: too many from this address failed');
      throw error;
    }
    if (await this.passwords.matches(userId, password)) return;
    // A name that nobody has may be a password in the wrong field, and its id would tell it.
    const user = (await this.passwords.exists(userId)) ? userId : null;
    this.logger.warn({ ...told, user }, 'a login failed');
    throw new LoginFailed();
  }
}
