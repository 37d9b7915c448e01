import { Module } from '@nestjs/common';

import { Aggregates } from '#platform/event-store/aggregates';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';
import { ProjectionUpkeep } from '#platform/projections/projection-upkeep.port';

import { OperationsController } from './operations.controller.js';
import { ProjectionOrders } from './projection-orders.js';
import { ProjectionsController } from './projections.controller.js';

@Module({
  controllers: [OperationsController, ProjectionsController],
  providers: [
    {
      provide: ProjectionOrders,
      useFactory: (aggregates: Aggregates, progress: ProjectionProgress, upkeep: ProjectionUpkeep) =>
        new ProjectionOrders(aggregates, progress, upkeep),
      inject: [Aggregates, ProjectionProgress, ProjectionUpkeep],
    },
  ],
})
export class OperationsModule {}
