import { Controller, Get, Header, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';

import { Heartbeat } from '#platform/database/heartbeat.port';
import { Endpoint } from '#platform/http/endpoint';
import { Metrics } from '#platform/metrics/metrics.port';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';
import { Readiness } from '#platform/readiness/readiness.port';

import { HealthResponse, ReadyResponse } from './health.response.js';
import { NotHealthy, NotReady, NoStoppedProjection } from './operations.errors.js';
import { projectionResponse, ProjectionsResponse } from './projection.response.js';

@ApiTags('operations')
@Controller()
export class OperationsController {
  constructor(
    private readonly heartbeat: Heartbeat,
    private readonly progress: ProjectionProgress,
    private readonly readiness: Readiness,
    private readonly measured: Metrics,
  ) {}

  @Get('health')
  @Endpoint({
    summary: 'Whether OMA serves; tells nothing else',
    access: 'public',
    answers: { status: 200, about: 'it serves', type: HealthResponse },
    refusals: { 503: 'not-healthy' },
  })
  async health(): Promise<HealthResponse> {
    if (!(await this.heartbeat.beats())) throw new NotHealthy();
    return { status: 'healthy' };
  }

  @Get(['ready', 'health/ready'])
  @Endpoint({
    summary: 'Whether OMA can do its work: database, log, projections and sagas',
    access: 'public',
    answers: { status: 200, about: 'it can work', type: ReadyResponse },
    refusals: { 503: 'not-ready, with the names of the components in not_ready' },
  })
  async ready(): Promise<ReadyResponse> {
    const notReady = await this.readiness.notReady();
    if (notReady.length > 0) throw new NotReady(notReady);
    return { status: 'ready' };
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  @Endpoint({
    summary: "All numbers of this OMA in Prometheus' text format",
    access: 'viewer',
    answers: { status: 200, about: 'the numbers; docs/operations.md says what they mean', media: 'text/plain' },
  })
  metrics(): Promise<string> {
    return this.measured.exposition();
  }

  @Get('projections')
  @Endpoint({
    summary: 'How far each projection is, and why it stopped if it did',
    access: 'admin',
    answers: { status: 200, about: 'the projections', type: ProjectionsResponse },
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
  })
  async retry(@Param('name') name: string): Promise<ProjectionsResponse> {
    if (!(await this.progress.retry(name))) throw new NoStoppedProjection(name);
    return this.projections();
  }
}
