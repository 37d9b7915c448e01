import { Module } from '@nestjs/common';

import { AuthController } from './auth.controller.js';
import { CreateUserHandler } from './create-user/create-user.handler.js';
import { FirstAdmin } from './first-admin.js';
import { ListUsersHandler } from './list-users/list-users.handler.js';
import { LogInHandler } from './log-in/log-in.handler.js';
import { LogOutHandler } from './log-out/log-out.handler.js';

@Module({
  controllers: [AuthController],
  providers: [LogInHandler, LogOutHandler, CreateUserHandler, ListUsersHandler, FirstAdmin],
})
export class AuthModule {}
