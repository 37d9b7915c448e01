import type { Migration } from './migration.js';
import { eventStore } from './migrations/0001-event-store.js';
import { projections } from './migrations/0002-projections.js';
import { sagas } from './migrations/0003-sagas.js';
import { edge } from './migrations/0004-edge.js';
import { exportsAndMounts } from './migrations/0005-exports-and-mounts.js';
import { credentials } from './migrations/0006-credentials.js';
import { backupProgress } from './migrations/0007-backup-progress.js';
import { backupRate } from './migrations/0008-backup-rate.js';
import { generations } from './migrations/0009-generations.js';
import { idempotentCommands } from './migrations/0010-idempotent-commands.js';
import { reporting } from './migrations/0011-reporting.js';
import { appendNew } from './migrations/0013-append-new.js';
import { instances } from './migrations/0014-instances.js';
import { freeResources } from './migrations/0015-free-resources.js';
import { oneLog } from './migrations/0017-one-log.js';
import { appendSeveral } from './migrations/0018-append-several.js';
import { passwordAge } from './migrations/0019-password-age.js';
import { firstAnswers } from './migrations/0020-first-answers.js';

/** All steps in order. Tables of projections aren't here: the runner makes them from their shapes. */
export const migrations: readonly Migration[] = [
  eventStore,
  projections,
  sagas,
  edge,
  exportsAndMounts,
  credentials,
  backupProgress,
  backupRate,
  generations,
  idempotentCommands,
  reporting,
  appendNew,
  instances,
  freeResources,
  oneLog,
  appendSeveral,
  passwordAge,
  firstAnswers,
];
