import type { BackupCommand } from '#domain/backup/backup';
import type { BackupPlan } from '#domain/backup/backup-plan';
import { type EarlierPlan, planOfToday } from '#domain/backup/earlier-shapes';
import type { VmHeld } from '#domain/hold/vm-hold';
import { jobEndOf } from '#domain/kernel/job-end';
import type { EffectRequest } from '#domain/kernel/saga';
import { type Ending, type Results, sequence } from '#domain/kernel/sequence';

import { commandEffect } from '../command-effect.js';
import { agentCheck, agentCopies } from './agent-steps.js';
import {
  checkImage,
  createImage,
  finishExport,
  preflight,
  proveContent,
  startExport,
  writeSidecar,
} from './image-steps.js';
import { proofs } from './proofs.js';
import { LAST_WORDS } from './step-effects.js';

/** Takes one backup: from the hold of the VM to the restore point, or back to where it began. */
export const takeBackupSaga = sequence<BackupPlan>({
  name: 'takebackup',
  version: 1,
  listensTo: ['VmHeld', 'BackupCancelRequested'],
  correlate: (event) => {
    if (event.type === 'BackupCancelRequested') return { id: (event.data as { jobId: string }).jobId, starts: false };
    return { id: (event.data as VmHeld['data']).jobId, starts: true };
  },
  start: (type, data) =>
    type === 'VmHeld' ? planOfToday((data as VmHeld['data']).plan as unknown as EarlierPlan) : null,
  stop: (type) =>
    type === 'BackupCancelRequested'
      ? { code: 'cancelled', message: 'it was cancelled; the audit trail says by whom and why' }
      : null,
  groups: (plan, results) => [
    [{ effect: toBackup('start', 'Record the start', plan, { type: 'StartBackup', plan }) }],
    [preflight(plan)],
    [agentCheck(plan, results)],
    plan.disks.map((disk) => createImage(plan, disk)),
    plan.disks.map((disk) => startExport(plan, disk, results)),
    ...agentCopies(plan, results),
    plan.disks.map((disk) => finishExport(plan, disk)),
    plan.disks.map((disk) => checkImage(plan, disk)),
    plan.disks.map((disk) => proveContent(plan, disk, results)),
    [{ effect: { ...requireProof(plan, results), retry: LAST_WORDS } }],
    plan.disks.map((disk) => writeSidecar(plan, disk, results)),
  ],
  conclude: (plan, results, ending) => [
    toBackup('end', 'Record the end', plan, endCommand(plan, results, ending)),
    release(plan),
  ],
});

function endCommand(plan: BackupPlan, results: Results, ending: Ending): BackupCommand {
  const { jobId, contextId } = plan;
  if (ending.outcome === 'completed') {
    return { type: 'CompleteBackup', ...proofs(plan, results) };
  }
  return {
    type: ending.outcome === 'failed' ? 'FailBackup' : 'CancelBackup',
    jobId,
    contextId,
    ...jobEndOf(ending),
  };
}

/** Tells which bookmarks the disks have; of agents that tell them with the completion of a disk only the domain knows them. */
function requireProof(plan: BackupPlan, results: Results): EffectRequest {
  const command = { type: 'ProveBackup', ...proofs(plan, results) };
  return commandEffect('prove', 'Require proof for every disk', 'backup', plan.jobId, command, 'BackupProven');
}

function toBackup(step: string, title: string, plan: BackupPlan, command: BackupCommand): EffectRequest {
  return commandEffect(step, title, 'backup', plan.jobId, command);
}

function release(plan: BackupPlan): EffectRequest {
  const command = { type: 'ReleaseHold', jobId: plan.jobId, contextId: plan.contextId };
  return commandEffect('release', 'Release the VM', 'vmhold', plan.contextId, command);
}
