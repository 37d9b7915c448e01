import { Body, Controller, Get, Post, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { tellConsistency } from '#platform/http/consistency';
import { Endpoint } from '#platform/http/endpoint';
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
    summary: 'All vCenter credentials, without their passwords',
    access: 'viewer',
    answers: { status: 200, about: 'the credentials', type: CredentialsResponse },
  })
  async list(): Promise<CredentialsResponse> {
    const credentials = await this.queries.execute(new ListCredentials());
    return { credentials, count: credentials.length, status: 'success' };
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
