import type { BackupEvent } from '#domain/backup/backup';
import type { BackupPlan } from '#domain/backup/backup-plan';
import type { VmHeld } from '#domain/hold/vm-hold';
import type { StoredEvent } from '#domain/kernel/event';
import type { Projection } from '#domain/kernel/projection';
import type { SagaEvent } from '#domain/kernel/saga';
import type { MountEvent } from '#domain/restore/mount';
import type { VerificationEvent } from '#domain/verification/verification';

import { NO_REVISION, revisionAfter } from '../revision.js';
import { type JobStep, stepsAfter } from './job-steps.js';

export type JobRecord = {
  job_id: string;
  job_type: 'backup' | 'restore_mount' | 'verification';
  status: 'running' | 'completed' | 'failed' | 'cancelled';
  cancel_requested: boolean;
  vm_context_id: string;
  vm_name: string;
  actor_kind: string;
  actor_id: string;
  correlation_id: string;
  steps: readonly JobStep[];
  error_step: string | null;
  error_code: string | null;
  error_message: string | null;
  error_remedy: string | null;
  leftovers: readonly string[];
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  revision: number;
};

type Handled = VmHeld | BackupEvent | MountEvent | VerificationEvent | SagaEvent;

/** Sagas whose runs are jobs; their streams are named by the job's id. */
export const JOB_STREAMS = ['takebackup', 'restoremount', 'verifybackup'];

export const jobProjection: Projection<JobRecord> = {
  name: 'job',
  version: 3,
  table: {
    key: 'job_id',
    columns: {
      job_id: 'text',
      job_type: 'text',
      status: 'text',
      cancel_requested: 'boolean',
      vm_context_id: 'text',
      vm_name: 'text',
      actor_kind: 'text',
      actor_id: 'text',
      correlation_id: 'text',
      steps: 'jsonb',
      error_step: 'text',
      error_code: 'text',
      error_message: 'text',
      error_remedy: 'text',
      leftovers: 'jsonb',
      created_at: 'timestamptz',
      updated_at: 'timestamptz',
      completed_at: 'timestamptz',
      revision: 'bigint',
    },
    indexes: [
      ['created_at', 'job_id'],
      ['vm_context_id', 'created_at'],
      ['status', 'created_at'],
      ['job_type', 'status'],
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
    'MountRequested',
    'MountOpened',
    'UnmountRequested',
    'MountFailed',
    'MountClosed',
    'VerificationRequested',
    'VerificationCancelRequested',
    'VerificationCompleted',
    'VerificationFailed',
    'VerificationCancelled',
    'SagaInputReceived',
    'EffectRequested',
    'EffectSucceeded',
    'EffectFailed',
    'EffectCancelled',
  ],
  keysOf: (event) => {
    const at = event.stream.indexOf('-');
    if (JOB_STREAMS.includes(event.stream.slice(0, at))) return [event.stream.slice(at + 1)];
    const { jobId, mountId } = event.data as { jobId?: string; mountId?: string };
    const id = jobId ?? mountId;
    return id === undefined ? [] : [id];
  },
  evolve: (row, event) => {
    const next = evolve(row, event, event as unknown as Handled);
    return next && { ...next, revision: revisionAfter(next.revision, event, 'backup', 'mount', 'verification') };
  },
};

function evolve(row: JobRecord | null, stored: StoredEvent, event: Handled): JobRecord | null {
  const at = stored.recordedAt.toISOString();
  if (event.type === 'VmHeld') {
    const plan = event.data.plan as unknown as BackupPlan;
    return begun(stored, 'backup', { id: plan.jobId, contextId: plan.contextId, vmName: plan.vmName });
  }
  if (event.type === 'MountRequested') {
    const { mountId, contextId, vmName } = event.data;
    return begun(stored, 'restore_mount', { id: mountId, contextId, vmName });
  }
  if (event.type === 'VerificationRequested') {
    const { jobId, contextId, vmName } = event.data;
    return begun(stored, 'verification', { id: jobId, contextId, vmName });
  }
  if (row === null) return null;
  const changed = { ...row, updated_at: at };
  switch (event.type) {
    case 'BackupCancelRequested':
    case 'VerificationCancelRequested':
      return { ...changed, cancel_requested: true };
    case 'UnmountRequested':
      return row.status === 'running' ? { ...changed, cancel_requested: true } : changed;
    case 'BackupCompleted':
    case 'MountOpened':
    case 'VerificationCompleted':
      return { ...changed, status: 'completed', completed_at: at };
    case 'BackupFailed':
    case 'MountFailed':
    case 'VerificationFailed':
      return ended(changed, 'failed', event.data, at);
    case 'BackupCancelled':
    case 'VerificationCancelled':
      return ended(changed, 'cancelled', event.data, at);
    case 'MountClosed':
      return row.status === 'running' ? ended(changed, 'cancelled', event.data, at) : changed;
    case 'BackupStarted':
    case 'DiskReported':
    case 'BackupProven':
      return changed;
    default:
      return { ...changed, steps: stepsAfter(row.steps, event, at) };
  }
}

function begun(
  stored: StoredEvent,
  type: JobRecord['job_type'],
  about: { readonly id: string; readonly contextId: string; readonly vmName: string },
): JobRecord {
  const at = stored.recordedAt.toISOString();
  return {
    job_id: about.id,
    job_type: type,
    status: 'running',
    cancel_requested: false,
    vm_context_id: about.contextId,
    vm_name: about.vmName,
    actor_kind: stored.metadata.actor.kind,
    actor_id: stored.metadata.actor.id,
    correlation_id: stored.metadata.correlationId,
    steps: [],
    error_step: null,
    error_code: null,
    error_message: null,
    error_remedy: null,
    leftovers: [],
    created_at: at,
    updated_at: at,
    completed_at: null,
    revision: NO_REVISION,
  };
}

function ended(
  row: JobRecord,
  status: 'failed' | 'cancelled',
  end: {
    readonly step: string | null;
    readonly code: string;
    readonly message: string;
    readonly remedy: string | null;
    readonly leftovers: readonly string[];
  },
  at: string,
): JobRecord {
  return {
    ...row,
    status,
    completed_at: at,
    error_step: end.step,
    error_code: end.code,
    error_message: end.message,
    error_remedy: end.remedy,
    leftovers: end.leftovers,
  };
}
