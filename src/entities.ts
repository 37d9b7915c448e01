import type { EntityTarget, ObjectLiteral } from 'typeorm';

import { CredentialUseRow } from './modules/credentials/credential-use.entity.js';
import { UserRow } from './projections/access/user.entity.js';
import { AuditRow } from './projections/audit/audit.entity.js';
import { BackupRow } from './projections/backup/backup.entity.js';
import { CredentialRow } from './projections/credential/credential.entity.js';
import { VmContextRow } from './projections/inventory/vm-context.entity.js';
import { JobRow } from './projections/jobs/job.entity.js';
import { RepositoryRow } from './projections/repository/repository.entity.js';
import { MountRow } from './projections/restore/mount.entity.js';

/** Everything that is read through TypeORM; apart from the catalogue, since who builds rows needs none of it. */
export const entities: readonly EntityTarget<ObjectLiteral>[] = [
  AuditRow,
  BackupRow,
  CredentialRow,
  CredentialUseRow,
  JobRow,
  MountRow,
  RepositoryRow,
  UserRow,
  VmContextRow,
];
