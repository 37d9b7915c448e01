import { Body, Controller, Get, Post, Query, Req } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { bearerToken } from '#platform/http/access.guard';
import { Endpoint } from '#platform/http/endpoint';
import { PageRequest } from '#platform/http/paging';
import { Asking } from '#platform/http/request-context';

import { CreateUser } from './create-user/create-user.handler.js';
import { CreateUserRequest } from './create-user/create-user.request.js';
import { ListUsers } from './list-users/list-users.handler.js';
import { LogIn } from './log-in/log-in.handler.js';
import { LogInRequest } from './log-in/log-in.request.js';
import { LogInResponse } from './log-in/log-in.response.js';
import { LogOut } from './log-out/log-out.handler.js';
import { LogOutResponse } from './log-out/log-out.response.js';
import { NewUserResponse, UsersResponse } from './user.response.js';

@ApiTags('auth')
@Controller()
export class AuthController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post('auth/login')
  @Endpoint({
    summary: 'Log in with username and password',
    access: 'public',
    answers: {
      status: 200,
      about: 'the token of a new session',
      type: LogInResponse,
      headers: ['X-Event-Position', 'X-Consistency'],
    },
    refusals: { 400: 'malformed-request', 401: 'login-failed', 409: 'stream-deleted', 429: 'too-many-attempts' },
    reads: [],
  })
  async logIn(@Body() body: LogInRequest, @Req() request: FastifyRequest): Promise<LogInResponse> {
    const { username, password } = body;
    return this.commands.execute(new LogIn(username, password, request.ip, request.id));
  }

  @Post('auth/logout')
  @Endpoint({
    summary: 'End the session whose token is sent',
    access: 'viewer',
    answers: {
      status: 200,
      about: 'the session is over',
      type: LogOutResponse,
      headers: ['X-Event-Position', 'X-Consistency'],
    },
    refusals: { 409: 'stream-deleted' },
    reads: [],
  })
  async logOut(@Req() request: FastifyRequest, @Asking() context: CommandContext): Promise<LogOutResponse> {
    return this.commands.execute(new LogOut(bearerToken(request) ?? '', context));
  }

  @Post('users')
  @Endpoint({
    summary: 'Create a user with a role',
    access: 'admin',
    answers: { status: 201, about: 'the user', type: NewUserResponse },
    refusals: { 400: 'malformed-request', 409: 'already-exists', 422: 'role-is-for-appliances' },
    mutates: true,
    reads: ['app_user'],
    subject: ['user'],
    creates: true,
  })
  async createUser(@Body() body: CreateUserRequest, @Asking() context: CommandContext): Promise<NewUserResponse> {
    const { username, password, role } = body;
    return this.commands.execute(new CreateUser(username, password, role, context));
  }

  @Get('users')
  @Endpoint({
    summary: 'Users by name; count counts all of them',
    access: 'admin',
    answers: { status: 200, about: 'one page of the users', type: UsersResponse },
    reads: ['app_user'],
  })
  async listUsers(@Query() query: PageRequest): Promise<UsersResponse> {
    return this.queries.execute(new ListUsers(query));
  }
}
