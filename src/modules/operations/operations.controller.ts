import { Controller, Get, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';

import { Heartbeat } from '#platform/database/heartbeat.port';
import { Endpoint } from '#platform/http/endpoint';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';

import { NotHealthy, NoStoppedProjection } from './operations.errors.js';
import { type ProjectionResponse, projectionResponse } from './projection.response.js';

@ApiTags('operations')
@Controller()
export class OperationsController {
  constructor(
    private readonly heartbeat: Heartbeat,
    private readonly progress: ProjectionProgress,
  ) {}

  @Get('health')
  @Endpoint({
    summary: 'Whether OMA serves; tells nothing else',
    access: 'public',
    answers: { status: 200, about: 'status "healthy"' },
    refusals: { 503: 'not-healthy' },
    reads: [],
  })
  async health(): Promise<{ status: 'healthy' }> {
    if (!(await this.heartbeat.beats())) throw new NotHealthy();
    return { status: 'healthy' };
  }

  @Get('projections')
  @Endpoint({
    summary: 'How far each projection is, and why it stopped if it did',
    access: 'admin',
    answers: { status: 200, about: 'projections' },
    reads: [],
  })
  async projections(): Promise<{ projections: readonly ProjectionResponse[] }> {
    return { projections: (await this.progress.status()).map(projectionResponse) };
  }

  @Post('projections/:name/retry')
  @Endpoint({
    summary: 'Let a stopped projection try its event again',
    access: 'admin',
    answers: { status: 202, about: 'projections' },
    refusals: { 409: 'no-stopped-projection' },
    mutates: true,
    reads: [],
  })
  async retry(@Param('name') name: string): Promise<{ projections: readonly ProjectionResponse[] }> {
    if (!(await this.progress.retry(name))) throw new NoStoppedProjection(name);
    return this.projections();
  }
}
