import { type BackupPlan, type PlannedDisk, spaceFor } from '#domain/backup/backup-plan';
import type { Results, Step } from '#domain/kernel/sequence';

import { waysOf } from './agent-steps.js';
import { proofOf, provenChangeId } from './proofs.js';
import { sidecarOf } from './sidecar.js';
import { COPY_SECONDS, effect, exportIdOf, placeOf, STORAGE_SECONDS, STUBBORN } from './step-effects.js';

export function preflight(plan: BackupPlan): Step {
  const args = { root: plan.root, neededBytes: spaceFor(plan.disks) };
  const resource = `preflight:${plan.jobId}`;
  return {
    effect: effect('repository.preflight', args, {
      step: 'preflight',
      title: 'Check the repository and its space',
      resource,
    }),
  };
}

export function createImage(plan: BackupPlan, disk: PlannedDisk): Step {
  const where = { root: plan.root, image: disk.image };
  const resource = `image:${plan.root}/${disk.image}`;
  return {
    effect: effect(
      'image.create',
      { ...placeOf(plan, disk), sizeBytes: disk.sizeBytes },
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

export function startExport(plan: BackupPlan, disk: PlannedDisk, results: Results): Step {
  const exportId = exportIdOf(plan, disk);
  const step = `export:${disk.deviceKey}`;
  const { agent } = plan;
  const resource = `export:${exportId}`;
  return {
    effect: effect(
      'export.start',
      {
        exportId,
        ...placeOf(plan, disk),
        agent,
        limits: limitsOf(plan),
        severalConnections: !waysOf(results).together,
      },
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

export function finishExport(plan: BackupPlan, disk: PlannedDisk): Step {
  const exportId = exportIdOf(plan, disk);
  return {
    effect: effect(
      'export.finish',
      { exportId, ...placeOf(plan, disk) },
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

export function checkImage(plan: BackupPlan, disk: PlannedDisk): Step {
  return {
    effect: effect(
      'image.check',
      { ...placeOf(plan, disk), sizeBytes: disk.sizeBytes },
      {
        step: `verify:${disk.deviceKey}`,
        title: `Check the image of disk ${disk.diskId} and compare sizes`,
        resource: `image:${plan.root}/${disk.image}`,
        timeoutSeconds: STORAGE_SECONDS,
      },
    ),
  };
}

export function proveContent(plan: BackupPlan, disk: PlannedDisk, results: Results): Step {
  const { agent, jobId } = plan;
  return {
    effect: effect(
      'image.prove',
      {
        ...placeOf(plan, disk),
        agent,
        jobId,
        deviceKey: disk.deviceKey,
        sizeBytes: disk.sizeBytes,
        parentManifestSha256: disk.mode.is === 'incremental' ? disk.mode.parent.manifestSha256 : null,
        hashesOffered: waysOf(results).hashes,
      },
      {
        step: `proving:${disk.deviceKey}`,
        title: `Prove the content of disk ${disk.diskId}`,
        resource: `image:${plan.root}/${disk.image}`,
        timeoutSeconds: COPY_SECONDS,
      },
    ),
  };
}

export function writeSidecar(plan: BackupPlan, disk: PlannedDisk, results: Results): Step {
  const proof = { ...proofOf(plan, disk, results), changeId: provenChangeId(disk, results) };
  return {
    effect: effect(
      'sidecar.write',
      { root: plan.root, image: disk.image, document: JSON.stringify(sidecarOf(plan, disk, proof), null, 2) },
      {
        step: `sidecar:${disk.deviceKey}`,
        title: `Describe disk ${disk.diskId} beside its image`,
        resource: `image:${plan.root}/${disk.image}`,
      },
    ),
  };
}

function limitsOf({ jobId, repositoryId, bandwidth }: BackupPlan) {
  const { jobBytesPerSecond, repositoryBytesPerSecond } = bandwidth;
  return {
    job: jobBytesPerSecond === null ? null : { key: jobId, bytesPerSecond: jobBytesPerSecond },
    repository:
      repositoryBytesPerSecond === null ? null : { key: repositoryId, bytesPerSecond: repositoryBytesPerSecond },
  };
}
