import { Body, Controller, Get, Param, Post, Query, Req, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { tellConsistency } from '#platform/http/consistency';
import { Endpoint } from '#platform/http/endpoint';
import { linkToNext } from '#platform/http/paging';
import { Asking } from '#platform/http/request-context';

import { CreateRepository } from './create-repository/create-repository.handler.js';
import { CreateRepositoryRequest } from './create-repository/create-repository.request.js';
import { GetStorage } from './get-storage/get-storage.handler.js';
import { ListRepositories } from './list-repositories/list-repositories.handler.js';
import { ListRepositoriesRequest } from './list-repositories/list-repositories.request.js';
import { RepositoryResponse, StorageInfoResponse } from './repository.response.js';

@ApiTags('repositories')
@Controller('repositories')
export class RepositoriesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post()
  @Endpoint({
    summary: 'Create a repository: a directory that backups are written to',
    access: 'operator',
    answers: {
      status: 201,
      about: 'the repository with its storage_info',
      type: RepositoryResponse,
      headers: ['X-Consistency'],
    },
    refusals: {
      400: 'malformed-request',
      409: 'already-exists, repository-path-taken',
      422: 'repository-type-not-offered, immutability-not-offered, repository-path-unusable',
    },
    mutates: true,
    reads: ['repository'],
    creates: true,
  })
  async create(
    @Body() body: CreateRepositoryRequest,
    @Asking() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RepositoryResponse> {
    const { repository, pending } = await this.commands.execute(new CreateRepository(body, context));
    tellConsistency(reply, pending);
    return repository;
  }

  @Get()
  @Endpoint({
    summary: 'All repositories by name, with their space',
    access: 'viewer',
    answers: {
      status: 200,
      about: 'a bare array; the next page is in the Link header',
      type: [RepositoryResponse],
      headers: ['Link'],
    },
    refusals: { 400: 'malformed-request' },
    reads: ['repository', 'backup'],
  })
  async list(
    @Query() query: ListRepositoriesRequest,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<readonly RepositoryResponse[]> {
    const { items, next } = await this.queries.execute(new ListRepositories(query));
    linkToNext(request, reply, next);
    return items;
  }

  @Get(':id/storage')
  @Endpoint({
    summary: 'Space of a repository, read just now',
    access: 'viewer',
    answers: { status: 200, about: 'its space', type: StorageInfoResponse },
    refusals: { 404: 'unknown-repository', 503: 'repository-away' },
    reads: ['repository', 'backup'],
  })
  async storage(@Param('id') id: string): Promise<StorageInfoResponse> {
    return this.queries.execute(new GetStorage(id));
  }
}
