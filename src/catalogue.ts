import { user } from './domain/access/user.js';
import { backup } from './domain/backup/backup.js';
import { credential } from './domain/credential/credential.js';
import { defaultCredential } from './domain/credential/default-credential.js';
import { vmHold } from './domain/hold/vm-hold.js';
import { vmContext } from './domain/inventory/vm-context.js';
import { repository } from './domain/repository/repository.js';
import { mount } from './domain/restore/mount.js';
import { verification } from './domain/verification/verification.js';
import type { AnyProjection } from './platform/projections/tables.js';
import type { AnyDecider } from './platform/sagas/command.effect.js';
import { effectsProjection } from './platform/sagas/effects.projection.js';
import type { AnySaga } from './platform/sagas/runtime.js';
import { sagaTallyProjection } from './platform/sagas/tally.projection.js';
import { timersProjection } from './platform/sagas/timers.projection.js';
import { userProjection } from './projections/access/user.projection.js';
import { auditProjection } from './projections/audit/audit.projection.js';
import { backupProjection } from './projections/backup/backup.projection.js';
import { credentialProjection } from './projections/credential/credential.projection.js';
import { vmContextProjection } from './projections/inventory/vm-context.projection.js';
import { jobProjection } from './projections/jobs/job.projection.js';
import { repositoryProjection } from './projections/repository/repository.projection.js';
import { mountProjection } from './projections/restore/mount.projection.js';
import { chooseDefaultSaga } from './sagas/choose-default/choose-default.saga.js';
import { registerSaga } from './sagas/register/register.saga.js';
import { restoreMountSaga } from './sagas/restore-mount/restore-mount.saga.js';
import { takeBackupSaga } from './sagas/take-backup/take-backup.saga.js';
import { verifyBackupSaga } from './sagas/verify-backup/verify-backup.saga.js';

/** Everything that is shown. */
export const projections = [
  auditProjection,
  backupProjection,
  credentialProjection,
  effectsProjection,
  jobProjection,
  mountProjection,
  repositoryProjection,
  sagaTallyProjection,
  timersProjection,
  userProjection,
  vmContextProjection,
] as unknown as readonly AnyProjection[];

/** Everything that goes on without being asked. */
export const sagas = [
  chooseDefaultSaga,
  registerSaga,
  restoreMountSaga,
  takeBackupSaga,
  verifyBackupSaga,
] as unknown as readonly AnySaga[];

/** The decider of each stream category that sagas send commands to. */
export const deciders = {
  backup,
  context: vmContext,
  credential,
  defaultcredential: defaultCredential,
  mount,
  repository,
  user,
  verification,
  vmhold: vmHold,
} as unknown as Readonly<Record<string, AnyDecider>>;
