import type { BackupEvent } from '#domain/backup/backup';
import { type BackupPlan, type DiskProof, layersOf, type PlannedDisk } from '#domain/backup/backup-plan';
import { type EarlierPlan, planOfToday, proofOfToday } from '#domain/backup/earlier-shapes';
import type { DiskMode, WhyFull } from '#domain/backup/disk-mode';
import type { VmHeld } from '#domain/hold/vm-hold';
import type { Finding, VerificationCompleted } from '#domain/verification/verification';
import type { StoredEvent } from '#domain/kernel/event';
import type { Projection } from '#domain/kernel/projection';

import { NO_REVISION, revisionAfter } from '../revision.js';

/** One disk of a backup: planned first, with its proof once the restore point exists. */
export type BackupDisk = {
  readonly disk_id: number;
  readonly device_key: number;
  readonly size_bytes: number;
  readonly image: string;
  readonly mode: DiskMode['is'];
  /** Why it was copied whole; null for an increment. */
  readonly reason: WhyFull | null;
  readonly parent_backup_id: string | null;
  readonly base_change_id: string | null;
  /** Images beneath it, oldest first. */
  readonly layers: readonly string[];
  readonly file_size_bytes: number | null;
  readonly bytes_copied: number | null;
  readonly bytes_to_copy: number | null;
  readonly data_bytes: number | null;
  readonly change_id: string | null;
  /** The one that the agent told with the completion of the disk, also of a backup that failed later. */
  readonly told_change_id: string | null;
  readonly manifest_sha256: string | null;
  readonly compared_with_source: boolean;
  readonly damage: Damage | null;
  /** When it was last compared with its manifest. */
  readonly verified_at: string | null;
  /** When the look began that the newest finding is of. */
  readonly read_at: string | null;
};

/** Where a layer is not what its manifest says; offset and length are null when it isn't a matter of one place. */
export type Damage = {
  readonly reason: string;
  readonly offset_bytes: number | null;
  readonly length_bytes: number | null;
  readonly found_at: string;
};

export type BackupRecord = {
  backup_id: string;
  vm_context_id: string;
  vm_name: string;
  repository_id: string;
  root: string;
  backup_type: string;
  asked_for: string;
  policy_id: string | null;
  tags: Readonly<Record<string, string>>;
  status: 'pending' | 'running' | 'completed' | 'failed' | 'cancelled';
  disks: readonly BackupDisk[];
  total_bytes: number;
  error_code: string | null;
  error_message: string | null;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
  revision: number;
};

export const backupProjection: Projection<BackupRecord> = {
  name: 'backup',
  version: 5,
  table: {
    key: 'backup_id',
    columns: {
      backup_id: 'text',
      vm_context_id: 'text',
      vm_name: 'text',
      repository_id: 'text',
      root: 'text',
      backup_type: 'text',
      asked_for: 'text',
      policy_id: 'text',
      tags: 'jsonb',
      status: 'text',
      disks: 'jsonb',
      total_bytes: 'bigint',
      error_code: 'text',
      error_message: 'text',
      created_at: 'timestamptz',
      started_at: 'timestamptz',
      completed_at: 'timestamptz',
      revision: 'bigint',
    },
    indexes: [
      ['vm_context_id', 'created_at'],
      ['repository_id', 'created_at'],
      ['created_at', 'backup_id'],
    ],
  },
  handles: [
    'VmHeld',
    'BackupStarted',
    'BackupCancelRequested',
    'DiskReported',
    'BackupProven',
    'BackupCompleted',
    'BackupFailed',
    'BackupCancelled',
    'VerificationCompleted',
  ],
  keysOf: (event) => {
    if (event.type !== 'VerificationCompleted') return [(event.data as { jobId: string }).jobId];
    return [...new Set((event.data as VerificationCompleted['data']).findings.map(({ backupId }) => backupId))];
  },
  evolve: (row, event) => {
    const next = evolve(row, event, event as unknown as Handled);
    return next && { ...next, revision: revisionAfter(next.revision, event, 'backup') };
  },
};

type Handled = VmHeld | BackupEvent | VerificationCompleted;

function evolve(row: BackupRecord | null, stored: StoredEvent, event: Handled): BackupRecord | null {
  const at = stored.recordedAt.toISOString();
  if (event.type === 'VmHeld') return pending(planOfToday(event.data.plan as unknown as EarlierPlan), at);
  if (row === null) return null;
  switch (event.type) {
    case 'BackupStarted':
      return { ...row, status: 'running', started_at: at };
    case 'BackupCompleted':
      return {
        ...row,
        status: 'completed',
        completed_at: at,
        disks: proven(row.disks, event.data.disks.map(proofOfToday)),
      };
    case 'BackupFailed':
    case 'BackupCancelled': {
      const status = event.type === 'BackupFailed' ? 'failed' : 'cancelled';
      return { ...row, status, completed_at: at, error_code: event.data.code, error_message: event.data.message };
    }
    case 'VerificationCompleted':
      return { ...row, disks: verified(row, event.data.findings, at) };
    case 'DiskReported': {
      const { deviceKey, changeId } = event.data;
      const told = (disk: BackupDisk) => (disk.device_key === deviceKey ? { ...disk, told_change_id: changeId } : disk);
      return { ...row, disks: row.disks.map(told) };
    }
    case 'BackupCancelRequested':
    case 'BackupProven':
      return row;
  }
}

function pending(plan: BackupPlan, at: string): BackupRecord {
  return {
    backup_id: plan.jobId,
    vm_context_id: plan.contextId,
    vm_name: plan.vmName,
    repository_id: plan.repositoryId,
    root: plan.root,
    backup_type: plan.backupType,
    asked_for: plan.askedFor,
    policy_id: plan.policyId,
    tags: plan.tags,
    status: 'pending',
    disks: plan.disks.map(planned),
    total_bytes: plan.disks.reduce((sum, disk) => sum + disk.sizeBytes, 0),
    error_code: null,
    error_message: null,
    created_at: at,
    started_at: null,
    completed_at: null,
    revision: NO_REVISION,
  };
}

/** The newest look at a layer counts, not the last to end: what was mended is good again, and what rotted stays damaged. */
function verified(row: BackupRecord, findings: readonly Finding[], at: string): readonly BackupDisk[] {
  return row.disks.map((disk) => {
    const finding = findings.find((one) => one.backupId === row.backup_id && one.deviceKey === disk.device_key);
    if (finding === undefined) return disk;
    const { damage, readAt } = finding;
    if (disk.read_at !== null && readAt < disk.read_at) return disk;
    const seen = { ...disk, read_at: readAt, verified_at: at };
    if (damage === null) return { ...seen, damage: null };
    const { reason, offsetBytes: offset_bytes, lengthBytes: length_bytes } = damage;
    return { ...seen, damage: { reason, offset_bytes, length_bytes, found_at: at } };
  });
}

function planned({ diskId, deviceKey, sizeBytes, image, mode }: PlannedDisk): BackupDisk {
  return {
    disk_id: diskId,
    device_key: deviceKey,
    size_bytes: sizeBytes,
    image,
    mode: mode.is,
    reason: mode.is === 'full' ? mode.because : null,
    parent_backup_id: mode.is === 'incremental' ? mode.parent.backupId : null,
    base_change_id: mode.is === 'incremental' ? mode.parent.changeId : null,
    layers: layersOf({ mode }),
    file_size_bytes: null,
    bytes_copied: null,
    bytes_to_copy: null,
    data_bytes: null,
    change_id: null,
    told_change_id: null,
    manifest_sha256: null,
    compared_with_source: false,
    damage: null,
    verified_at: null,
    read_at: null,
  };
}

function proven(disks: readonly BackupDisk[], proofs: readonly DiskProof[]): readonly BackupDisk[] {
  return disks.map((disk) => {
    const proof = proofs.find((candidate) => candidate.deviceKey === disk.device_key);
    if (proof === undefined) return disk;
    return {
      ...disk,
      file_size_bytes: proof.fileSizeBytes,
      bytes_copied: proof.bytesCopied,
      bytes_to_copy: proof.bytesToCopy,
      data_bytes: proof.dataBytes,
      change_id: proof.changeId,
      manifest_sha256: proof.manifestSha256,
      compared_with_source: proof.comparedWithSource,
    };
  });
}
