import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';

import { ProjectionProgress } from '#platform/projections/projection-progress.port';

import { MalformedRequest, ReadModelsBehind } from './edge.errors.js';
import { Positions, singleHeader } from './positions.js';
import { traitsOf, VISIBLE_WITHIN_MS } from './route.js';

/**
 * `X-Min-Position` makes any route wait for the read models that it names (docs/adr/0014), before anything is done for the
 * request. A guard and no interceptor, so that nothing stands around reads that wait for nothing.
 */
@Injectable()
export class MinPositionGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly positions: Positions,
    private readonly progress: ProjectionProgress,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
    const given = singleHeader(headers, 'X-Min-Position');
    return given === null || this.waitFor(given, traitsOf(this.reflector, context).reads ?? []);
  }

  private async waitFor(given: string, reads: readonly string[]): Promise<boolean> {
    if (reads.length === 0) return true;
    // Of a variable that is empty, say: whoever sends it means to wait.
    if (given === '') throw new MalformedRequest([{ field: 'X-Min-Position', message: 'must not be empty' }]);
    const position = await this.positions.known(given);
    if (!(await this.progress.waitFor(reads, position, VISIBLE_WITHIN_MS))) throw new ReadModelsBehind();
    return true;
  }
}
