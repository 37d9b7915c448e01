import { Controller, Get, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';

import { Heartbeat } from '#platform/database/heartbeat.port';
import { Endpoint } from '#platform/http/endpoint';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';

import { HealthResponse } from './health.response.js';
import { NotHealthy, NoStoppedProjection } from './operations.errors.js';
import { projectionResponse, ProjectionsResponse } from './projection.response.js';

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
    answers: { status: 200, about: 'it serves', type: HealthResponse },
    refusals: { 503: 'not-healthy' },
    reads: [],
  })
  async health(): Promise<HealthResponse> {
    if (!(await this.heartbeat.beats())) throw new NotHealthy();
    return { status: 'healthy' };
  }

  @Get('projections')
  @Endpoint({
    summary: 'How far each projection is, and why it stopped if it did',
    access: 'admin',
    answers: { status: 200, about: 'the projections', type: ProjectionsResponse },
    reads: [],
  })
  async projections(): Promise<ProjectionsResponse> {
    return { projections: (await this.progress.status()).map(projectionResponse) };
  }

  @Post('projections/:name/retry')
  @Endpoint({
    summary: 'Let a stopped projection try its event again',
    access: 'admin',
    answers: { status: 202, about: 'the projections', type: ProjectionsResponse },
    refusals: { 409: 'no-stopped-projection' },
    mutates: true,
    reads: [],
  })
  async retry(@Param('name') name: string): Promise<ProjectionsResponse> {
    if (!(await this.progress.retry(name))) throw new NoStoppedProjection(name);
    return this.projections();
  }
}
