import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';

import { AgentsModule } from './modules/agents/agents.module.js';
import { AuditModule } from './modules/audit/audit.module.js';
import { AuthModule } from './modules/auth/auth.module.js';
import { BackupsModule } from './modules/backups/backups.module.js';
import { CredentialsModule } from './modules/credentials/credentials.module.js';
import { EventsModule } from './modules/events/events.module.js';
import { InventoryModule } from './modules/inventory/inventory.module.js';
import { JobsModule } from './modules/jobs/jobs.module.js';
import { OperationsModule } from './modules/operations/operations.module.js';
import { RepositoriesModule } from './modules/repositories/repositories.module.js';
import { RestoreModule } from './modules/restore/restore.module.js';
import { VerificationsModule } from './modules/verifications/verifications.module.js';
import { AccessGuard } from './platform/http/access.guard.js';
import { UnaskedGuard } from './platform/http/bodies.js';
import { MinPositionGuard } from './platform/http/min-position.guard.js';
import { Positions } from './platform/http/positions.js';

/** What the modules find in every constructor: the machinery, made before the application. */
@Module({})
class MachineryModule {
  static of(machinery: readonly Provider[]): DynamicModule {
    const tokens = machinery.map((provider) => (typeof provider === 'function' ? provider : provider.provide));
    return { module: MachineryModule, global: true, providers: [...machinery], exports: tokens };
  }
}

@Module({
  imports: [
    CqrsModule.forRoot(),
    AgentsModule,
    AuditModule,
    AuthModule,
    BackupsModule,
    CredentialsModule,
    EventsModule,
    InventoryModule,
    JobsModule,
    OperationsModule,
    RepositoriesModule,
    RestoreModule,
    VerificationsModule,
  ],
  providers: [
    // In this order: strangers hear nothing of what a request should look like.
    { provide: APP_GUARD, useClass: AccessGuard },
    { provide: APP_GUARD, useClass: UnaskedGuard },
    { provide: APP_GUARD, useClass: MinPositionGuard },
  ],
})
export class AppModule {
  static with(machinery: readonly Provider[]): DynamicModule {
    return { module: AppModule, imports: [MachineryModule.of([...machinery, Positions])] };
  }
}
