import { Body, Controller, Get, Post, Query, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { tellConsistency } from '#platform/http/consistency';
import { Endpoint } from '#platform/http/endpoint';
import { PageRequest } from '#platform/http/paging';
import { Asking } from '#platform/http/request-context';

import { CreateCredential } from './create-credential/create-credential.handler.js';
import { CreateCredentialRequest } from './create-credential/create-credential.request.js';
import { credentialResponse, CredentialsResponse, CredentialStoredResponse } from './credential.response.js';
import { ListCredentials } from './list-credentials/list-credentials.handler.js';

@ApiTags('credentials')
@Controller('vmware-credentials')
export class CredentialsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Endpoint({
    summary: 'vCenter credentials without their passwords; count counts all of them',
    access: 'viewer',
    answers: { status: 200, about: 'one page of the credentials', type: CredentialsResponse },
    reads: ['credential'],
  })
  async list(@Query() query: PageRequest): Promise<CredentialsResponse> {
    const { credentials, count, next_cursor } = await this.queries.execute(new ListCredentials(query));
    return { credentials, count, status: 'success', next_cursor };
  }

  @Post()
  @Endpoint({
    summary: 'Store a vCenter credential; the password goes into the vault',
    access: 'operator',
    answers: {
      status: 201,
      about: 'the credential',
      type: CredentialStoredResponse,
      headers: ['X-Consistency'],
    },
    refusals: { 400: 'malformed-request', 409: 'already-exists', 422: 'default-must-be-active' },
    mutates: true,
    reads: ['credential'],
    creates: true,
  })
  async create(
    @Body() body: CreateCredentialRequest,
    @Asking() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CredentialStoredResponse> {
    const { shown, pending } = await this.commands.execute(new CreateCredential(body, context));
    tellConsistency(reply, pending);
    return { credential: credentialResponse(shown, undefined), status: 'success', message: 'the credential is stored' };
  }
}
