import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DataSource } from 'typeorm';

import { createApp } from './app.js';
import { AppModule } from './app.module.js';
import { FirstPassword } from './platform/auth/first-password.port.js';
import { LoginAttempts } from './platform/auth/login-attempts.js';
import { Passwords } from './platform/auth/passwords.port.js';
import { Clock } from './platform/clock/clock.port.js';
import { Config } from './platform/config/config.js';
import { Heartbeat } from './platform/database/heartbeat.port.js';
import { Aggregates } from './platform/event-store/aggregates.js';
import { EventStore } from './platform/event-store/event-store.port.js';
import { GuestFiles } from './platform/filesystems/guest-files.port.js';
import { RestoreAccess } from './platform/filesystems/restore-access.js';
import { AgentTokens } from './platform/http/agent-tokens.port.js';
import { IdempotencyKeys } from './platform/http/idempotency.port.js';
import { Sessions } from './platform/http/sessions.port.js';
import { Numbers } from './platform/ids/numbers.port.js';
import { Logger } from './platform/logging/logger.port.js';
import { pinoLogger } from './platform/logging/pino.logger.js';
import { Metrics } from './platform/metrics/metrics.port.js';
import { PrometheusMetrics } from './platform/metrics/prometheus.metrics.js';
import { ImageConditions } from './platform/qemu/image-conditions.port.js';
import { ProjectionProgress } from './platform/projections/projection-progress.port.js';
import { ProjectionUpkeep } from './platform/projections/projection-upkeep.port.js';
import { Readiness } from './platform/readiness/readiness.port.js';
import { LocalRepositoryStorage } from './platform/repositories/local-repository-storage.port.js';
import { Vault } from './platform/secrets/vault.port.js';
import { BackupProgress } from './platform/vma/backup-progress.js';
import { CompletionCalls } from './platform/vma/completion-calls.js';
import { VcenterCredentials } from './platform/vma/vcenter-credentials.port.js';
import { Agents } from './platform/vma/agents.js';

/** What the modules ask for. One that is missing here is told by Nest when the application is made. */
const ASKED_FOR = [
  AgentTokens,
  Agents,
  Aggregates,
  BackupProgress,
  CompletionCalls,
  Clock,
  Config,
  DataSource,
  EventStore,
  FirstPassword,
  GuestFiles,
  Heartbeat,
  IdempotencyKeys,
  ImageConditions,
  LocalRepositoryStorage,
  Logger,
  LoginAttempts,
  Numbers,
  Passwords,
  ProjectionProgress,
  ProjectionUpkeep,
  Readiness,
  RestoreAccess,
  Sessions,
  Vault,
  VcenterCredentials,
];

/** The application with nothing behind it: enough to look at its routes, not to call them. */
export async function unconnectedApp(): Promise<NestFastifyApplication> {
  const providers = ASKED_FOR.map((provide) => ({ provide, useValue: {} }));
  const metrics = { provide: Metrics, useValue: new PrometheusMetrics() };
  const app = await createApp(AppModule.with([...providers, metrics]), pinoLogger('silent'));
  return app.init();
}
