import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';

import { Heartbeat } from '#platform/database/heartbeat.port';
import { Endpoint } from '#platform/http/endpoint';

import { NotHealthy } from './operations.errors.js';

@ApiTags('operations')
@Controller()
export class OperationsController {
  constructor(private readonly heartbeat: Heartbeat) {}

  @Get('health')
  @Endpoint({
    summary: 'Whether OMA serves; tells nothing else',
    access: 'public',
    answers: { status: 200, about: 'status "healthy"' },
    refusals: { 503: 'not-healthy' },
  })
  async health(): Promise<{ status: 'healthy' }> {
    if (!(await this.heartbeat.beats())) throw new NotHealthy();
    return { status: 'healthy' };
  }
}
