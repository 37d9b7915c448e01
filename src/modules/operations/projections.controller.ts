import { Controller, Delete, Get, Param, Post, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { Endpoint } from '#platform/http/endpoint';
import { Asking } from '#platform/http/request-context';

import { ProjectionOrders } from './projection-orders.js';
import {
  CheckResponse,
  checkResponse,
  ProjectionResponse,
  projectionResponse,
  ProjectionsResponse,
} from './projection.response.js';

@ApiTags('operations')
@Controller('projections')
export class ProjectionsController {
  constructor(private readonly orders: ProjectionOrders) {}

  @Get()
  @Endpoint({
    summary: 'How far each projection is, and why it stopped if it did',
    access: 'admin',
    answers: { status: 200, about: 'all projections', type: ProjectionsResponse },
    reads: [],
  })
  async list(): Promise<ProjectionsResponse> {
    return { projections: (await this.orders.all()).map(projectionResponse) };
  }

  @Get(':name')
  @Endpoint({
    summary: 'One projection, with the rows that are being built beside its live ones',
    access: 'admin',
    answers: {
      status: 200,
      about: 'the projection; building is null when nothing is being built',
      type: ProjectionResponse,
    },
    refusals: { 404: 'unknown-projection' },
    reads: [],
  })
  async one(@Param('name') name: string): Promise<ProjectionResponse> {
    return projectionResponse(await this.orders.one(name));
  }

  @Post(':name/rebuild')
  @Endpoint({
    summary: 'Build the rows of a projection anew; those that are read stay until the new ones take their place',
    access: 'admin',
    answers: {
      status: 202,
      about: 'the projection; Location names it: it is done when building is null',
      type: ProjectionResponse,
      headers: ['Location'],
    },
    refusals: { 404: 'unknown-projection', 409: 'rebuild-under-way, other-version-live' },
    mutates: true,
    reads: [],
  })
  async rebuild(
    @Param('name') name: string,
    @Asking() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ProjectionResponse> {
    const status = await this.orders.rebuild(name, context);
    void reply.header('location', `/api/v1/projections/${encodeURIComponent(name)}`);
    return projectionResponse(status);
  }

  @Delete(':name/rebuild')
  @Endpoint({
    summary: 'Give up the rows that are being built, also after they stopped; those that are read stay',
    access: 'admin',
    answers: { status: 202, about: 'the projection', type: ProjectionResponse },
    refusals: { 404: 'unknown-projection', 409: 'no-rebuild-under-way, other-version-live' },
    mutates: true,
    reads: [],
  })
  async cancel(@Param('name') name: string, @Asking() context: CommandContext): Promise<ProjectionResponse> {
    return projectionResponse(await this.orders.cancel(name, context));
  }

  @Post(':name/verify')
  @Endpoint({
    summary: 'Compare the rows of a projection with what the log gives up to where they are',
    access: 'admin',
    answers: {
      status: 202,
      about: 'the verification; Location names it: it is done when status is done or failed',
      type: CheckResponse,
      headers: ['Location'],
    },
    refusals: { 404: 'unknown-projection', 409: 'other-version-live' },
    mutates: true,
    reads: [],
  })
  async verify(
    @Param('name') name: string,
    @Asking() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<CheckResponse> {
    const check = await this.orders.verify(name, context);
    void reply.header('location', `/api/v1/projections/${encodeURIComponent(name)}/checks/${check.id}`);
    return checkResponse(check);
  }

  @Get(':name/checks/:check_id')
  @Endpoint({
    summary: 'What a verification found: how many rows are missing, extra or different, and the first of them by key',
    access: 'admin',
    answers: {
      status: 200,
      about:
        'the verification; rows are right and up to date when nothing differs, stopped is false and events_behind 0',
      type: CheckResponse,
    },
    refusals: { 404: 'unknown-check' },
    reads: [],
  })
  async check(@Param('name') name: string, @Param('check_id') checkId: string): Promise<CheckResponse> {
    return checkResponse(await this.orders.check(name, checkId));
  }

  @Post(':name/retry')
  @Endpoint({
    summary: 'Let a stopped projection, or a stopped rebuild, try its event again',
    access: 'admin',
    answers: { status: 202, about: 'all projections', type: ProjectionsResponse },
    refusals: { 404: 'unknown-projection', 409: 'no-stopped-projection' },
    mutates: true,
    reads: [],
  })
  async retry(@Param('name') name: string, @Asking() context: CommandContext): Promise<ProjectionsResponse> {
    await this.orders.retry(name, context);
    return this.list();
  }

  @Post(':name/skip/:event_id')
  @Endpoint({
    summary: 'Let a stopped projection go on without the event at which it stopped; X-Reason says why',
    access: 'admin',
    answers: { status: 202, about: 'the projection', type: ProjectionResponse },
    refusals: { 404: 'unknown-projection', 409: 'not-stopped-there', 422: 'reason-missing' },
    mutates: true,
    reads: [],
  })
  async skip(
    @Param('name') name: string,
    @Param('event_id') eventId: string,
    @Asking() context: CommandContext,
  ): Promise<ProjectionResponse> {
    return projectionResponse(await this.orders.skip(name, eventId, context));
  }
}
