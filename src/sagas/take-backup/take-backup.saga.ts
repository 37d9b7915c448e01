import type { BackupCommand } from '#domain/backup/backup';
import { type BackupPlan, type DiskProof, type PlannedDisk, spaceForFull } from '#domain/backup/backup-plan';
import type { BackupEffects } from '#domain/backup/effects';
import type { VmHeld } from '#domain/hold/vm-hold';
import type { EffectRequest, RetryRule } from '#domain/kernel/saga';
import { type Ending, type Results, sequence, type Step } from '#domain/kernel/sequence';

import { commandEffect } from '../command-effect.js';
import { sidecarOf } from './sidecar.js';

const LOCAL: RetryRule = { attempts: 3, baseMs: 200, maxMs: 2000 };
const ONCE: RetryRule = { attempts: 1, baseMs: 200, maxMs: 200 };
/** Undoing and telling the domain go on for a long time before they give up. */
const STUBBORN: RetryRule = { attempts: 40, baseMs: 200, maxMs: 10_000 };

const SHORT_SECONDS = 30;
/** Flushing a large image's caches and reading its tables can take a while on slow storage. */
const STORAGE_SECONDS = 600;
const COPY_SECONDS = 14 * 24 * 3600;

/** Takes one backup: from the hold of the VM to the restore point, or back to where it began. */
export const takeBackupSaga = sequence<BackupPlan>({
  name: 'takebackup',
  version: 1,
  listensTo: ['VmHeld', 'BackupCancelRequested'],
  correlate: (event) => {
    if (event.type === 'BackupCancelRequested') return { id: (event.data as { jobId: string }).jobId, starts: false };
    return { id: (event.data as VmHeld['data']).jobId, starts: true };
  },
  start: (type, data) => (type === 'VmHeld' ? ((data as VmHeld['data']).plan as unknown as BackupPlan) : null),
  stop: (type) =>
    type === 'BackupCancelRequested' ? { code: 'cancelled', message: 'somebody asked to cancel it' } : null,
  groups: (plan, results) => [
    [{ effect: toBackup('start', 'Record the start', plan, { type: 'StartBackup', plan }) }],
    [preflight(plan)],
    [agentCheck(plan)],
    plan.disks.map((disk) => createImage(plan, disk)),
    plan.disks.map((disk) => startExport(plan, disk)),
    [agentStart(plan)],
    [agentFollow(plan)],
    plan.disks.map((disk) => finishExport(plan, disk)),
    plan.disks.map((disk) => checkImage(plan, disk)),
    plan.disks.map((disk) => writeSidecar(plan, disk, results)),
    [
      {
        effect: toBackup('prove', 'Require proof for every disk', plan, {
          type: 'ProveBackup',
          ...proofs(plan, results),
        }),
      },
    ],
  ],
  conclude: (plan, results, ending) => [
    toBackup('end', 'Record the end', plan, endCommand(plan, results, ending)),
    release(plan),
  ],
});

function effect<Kind extends keyof BackupEffects>(
  kind: Kind,
  args: BackupEffects[Kind]['args'],
  rest: Omit<EffectRequest, 'kind' | 'args' | 'timeoutSeconds' | 'retry'> & Partial<EffectRequest>,
): EffectRequest {
  return { timeoutSeconds: SHORT_SECONDS, retry: LOCAL, ...rest, kind, args };
}

function preflight(plan: BackupPlan): Step {
  const args = { root: plan.root, neededBytes: spaceForFull(plan.disks) };
  const resource = `preflight:${plan.jobId}`;
  return {
    effect: effect('repository.preflight', args, {
      step: 'preflight',
      title: 'Check the repository and its space',
      resource,
    }),
  };
}

/**
 * The undo stands here and not at `agent`, because undoing goes backwards: first the exports end, so that nobody can
 * write any more, and only then the agent is told.
 */
function agentCheck(plan: BackupPlan): Step {
  const resource = `agent:${plan.jobId}`;
  return {
    effect: effect('agent.check', {}, { step: 'agent-check', title: 'Ask whether the agent answers', resource }),
    undo: effect(
      'agent.stop',
      { jobId: plan.jobId },
      { step: 'agent-stop', title: 'Tell the agent to give up', resource, retry: LOCAL },
    ),
  };
}

function createImage(plan: BackupPlan, disk: PlannedDisk): Step {
  const where = { root: plan.root, image: disk.image };
  const resource = `image:${plan.root}/${disk.image}`;
  return {
    effect: effect(
      'image.create',
      { ...where, sizeBytes: disk.sizeBytes },
      { step: `image:${disk.deviceKey}`, title: `Create the image of disk ${disk.diskId}`, resource },
    ),
    undo: effect('image.remove', where, {
      step: `image-remove:${disk.deviceKey}`,
      title: `Remove the image of disk ${disk.diskId}`,
      resource,
      retry: STUBBORN,
    }),
  };
}

function exportIdOf(plan: BackupPlan, disk: PlannedDisk): string {
  return `${plan.jobId}-${disk.deviceKey}`;
}

function startExport(plan: BackupPlan, disk: PlannedDisk): Step {
  const exportId = exportIdOf(plan, disk);
  const step = `export:${disk.deviceKey}`;
  const resource = `export:${exportId}`;
  return {
    effect: effect(
      'export.start',
      { exportId, root: plan.root, image: disk.image },
      { step, title: `Open an export for disk ${disk.diskId}`, resource, watched: true },
    ),
    undo: effect(
      'export.stop',
      { exportId },
      {
        step: `export-stop:${disk.deviceKey}`,
        title: `Close the export of disk ${disk.diskId}`,
        resource,
        retry: STUBBORN,
        timeoutSeconds: STORAGE_SECONDS,
        ends: [step],
      },
    ),
  };
}

function agentStart(plan: BackupPlan): Step {
  const disks = plan.disks.map((disk) => ({
    deviceKey: disk.deviceKey,
    exportId: exportIdOf(plan, disk),
    sizeBytes: disk.sizeBytes,
  }));
  const { jobId, vmName, vmPath, credentialId } = plan;
  return {
    effect: effect(
      'agent.start',
      { jobId, vmName, vmPath, credentialId, disks },
      { step: 'agent', title: 'Tell the agent to copy', resource: `agent:${jobId}`, timeoutSeconds: 60 },
    ),
  };
}

function agentFollow(plan: BackupPlan): Step {
  const disks = plan.disks.map(({ deviceKey, sizeBytes }) => ({ deviceKey, sizeBytes }));
  return {
    effect: effect(
      'agent.follow',
      { jobId: plan.jobId, credentialId: plan.credentialId, disks },
      {
        step: 'copy',
        title: 'Copy the disks',
        resource: `agent:${plan.jobId}`,
        timeoutSeconds: COPY_SECONDS,
        retry: ONCE,
      },
    ),
  };
}

function finishExport(plan: BackupPlan, disk: PlannedDisk): Step {
  const exportId = exportIdOf(plan, disk);
  return {
    effect: effect(
      'export.finish',
      { exportId, root: plan.root, image: disk.image },
      {
        step: `finish:${disk.deviceKey}`,
        title: `End the export of disk ${disk.diskId} cleanly and flush the image`,
        resource: `export:${exportId}`,
        timeoutSeconds: STORAGE_SECONDS,
        ends: [`export:${disk.deviceKey}`],
      },
    ),
  };
}

function checkImage(plan: BackupPlan, disk: PlannedDisk): Step {
  return {
    effect: effect(
      'image.check',
      { root: plan.root, image: disk.image, sizeBytes: disk.sizeBytes },
      {
        step: `verify:${disk.deviceKey}`,
        title: `Check the image of disk ${disk.diskId} and compare sizes`,
        resource: `image:${plan.root}/${disk.image}`,
        timeoutSeconds: STORAGE_SECONDS,
      },
    ),
  };
}

function writeSidecar(plan: BackupPlan, disk: PlannedDisk, results: Results): Step {
  const proof = proofOf(disk, results);
  return {
    effect: effect(
      'sidecar.write',
      { root: plan.root, image: disk.image, document: JSON.stringify(sidecarOf(plan, proof), null, 2) },
      {
        step: `sidecar:${disk.deviceKey}`,
        title: `Describe disk ${disk.diskId} beside its image`,
        resource: `image:${plan.root}/${disk.image}`,
      },
    ),
  };
}

/** Everything known of a disk; what isn't known stays -1, which no decision takes for proof. */
function proofOf(disk: PlannedDisk, results: Results): DiskProof {
  const copied = results['copy'] as BackupEffects['agent.follow']['result'] | undefined;
  const checked = results[`verify:${disk.deviceKey}`] as BackupEffects['image.check']['result'] | undefined;
  const report = copied?.disks.find((candidate) => candidate.deviceKey === disk.deviceKey);
  return {
    diskId: disk.diskId,
    deviceKey: disk.deviceKey,
    image: disk.image,
    virtualSizeBytes: checked?.virtualSizeBytes ?? -1,
    fileSizeBytes: checked?.fileSizeBytes ?? -1,
    bytesCopied: report?.bytesTransferred ?? -1,
    changeId: report?.changeId ?? null,
  };
}

function proofs(plan: BackupPlan, results: Results) {
  const { jobId, contextId } = plan;
  return { jobId, contextId, disks: plan.disks.map((disk) => proofOf(disk, results)) };
}

function endCommand(plan: BackupPlan, results: Results, ending: Ending): BackupCommand {
  const { jobId, contextId } = plan;
  if (ending.outcome === 'completed') {
    return { type: 'CompleteBackup', ...proofs(plan, results) };
  }
  return {
    type: ending.outcome === 'failed' ? 'FailBackup' : 'CancelBackup',
    jobId,
    contextId,
    step: ending.step,
    code: ending.failure?.code ?? 'unknown',
    message: ending.failure?.message ?? 'no reason was given',
    remedy: ending.failure?.remedy ?? null,
    leftovers: ending.leftovers,
  };
}

function toBackup(step: string, title: string, plan: BackupPlan, command: BackupCommand): EffectRequest {
  return commandEffect(step, title, 'backup', plan.jobId, command);
}

function release(plan: BackupPlan): EffectRequest {
  const command = { type: 'ReleaseHold', jobId: plan.jobId, contextId: plan.contextId };
  return commandEffect('release', 'Release the VM', 'vmhold', plan.contextId, command);
}
