import { Controller, Get, Header } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';

import { Heartbeat } from '#platform/database/heartbeat.port';
import { Endpoint } from '#platform/http/endpoint';
import { Metrics } from '#platform/metrics/metrics.port';
import { Readiness } from '#platform/readiness/readiness.port';

import { HealthResponse, ReadyResponse } from './health.response.js';
import { NotHealthy, NotReady } from './operations.errors.js';

@ApiTags('operations')
@Controller()
export class OperationsController {
  constructor(
    private readonly heartbeat: Heartbeat,
    private readonly readiness: Readiness,
    private readonly measured: Metrics,
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

  @Get(['ready', 'health/ready'])
  @Endpoint({
    summary: 'Whether OMA can do its work: database, log, projections and sagas',
    access: 'public',
    answers: { status: 200, about: 'it can work', type: ReadyResponse },
    refusals: { 503: 'not-ready' },
    reads: [],
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
    // They matter most while the database, which knows the tokens, is away.
    takesRecentToken: true,
    answers: { status: 200, about: 'the numbers; docs/operations.md says what they mean', media: 'text/plain' },
    reads: [],
  })
  metrics(): Promise<string> {
    return this.measured.exposition();
  }
}
