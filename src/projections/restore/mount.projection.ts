import type { StoredEvent } from '#domain/kernel/event';
import type { Projection } from '#domain/kernel/projection';
import type { MountedPartition, MountEvent, MountPlan } from '#domain/restore/mount';

import { NO_REVISION, revisionAfter } from '../revision.js';

export type MountRecord = {
  mount_id: string;
  backup_id: string;
  disk_id: number;
  vm_context_id: string;
  vm_name: string;
  image: string;
  idle_seconds: number;
  status: 'mounting' | 'mounted' | 'unmounting' | 'unmounted' | 'failed';
  partitions: readonly MountedPartition[];
  error_code: string | null;
  error_message: string | null;
  error_remedy: string | null;
  requested_by: string;
  created_at: string;
  opened_at: string | null;
  closed_at: string | null;
  revision: number;
};

export const mountProjection: Projection<MountRecord> = {
  name: 'mount',
  version: 2,
  table: {
    key: 'mount_id',
    columns: {
      mount_id: 'text',
      backup_id: 'text',
      disk_id: 'integer',
      vm_context_id: 'text',
      vm_name: 'text',
      image: 'text',
      idle_seconds: 'double precision',
      status: 'text',
      partitions: 'jsonb',
      error_code: 'text',
      error_message: 'text',
      error_remedy: 'text',
      requested_by: 'text',
      created_at: 'timestamptz',
      opened_at: 'timestamptz',
      closed_at: 'timestamptz',
      revision: 'bigint',
    },
    indexes: [
      ['status', 'created_at'],
      ['created_at', 'mount_id'],
      ['backup_id', 'disk_id'],
    ],
  },
  handles: ['MountRequested', 'MountOpened', 'UnmountRequested', 'MountFailed', 'MountClosed'],
  keysOf: (event) => [(event.data as { mountId: string }).mountId],
  evolve: (row, event) => {
    const next = evolve(row, event, event as unknown as MountEvent);
    return next && { ...next, revision: revisionAfter(next.revision, event, 'mount') };
  },
};

function evolve(row: MountRecord | null, stored: StoredEvent, event: MountEvent): MountRecord | null {
  const at = stored.recordedAt.toISOString();
  if (event.type === 'MountRequested') return mounting(event.data, stored.metadata.actor.id, at);
  if (row === null) return null;
  switch (event.type) {
    case 'MountOpened':
      return {
        ...row,
        status: row.status === 'mounting' ? 'mounted' : row.status,
        partitions: event.data.partitions,
        opened_at: at,
      };
    case 'UnmountRequested':
      return { ...row, status: 'unmounting' };
    case 'MountFailed':
    case 'MountClosed': {
      const { code, message, remedy } = event.data;
      const status = event.type === 'MountFailed' ? 'failed' : 'unmounted';
      return { ...row, status, closed_at: at, error_code: code, error_message: message, error_remedy: remedy };
    }
  }
}

function mounting(plan: MountPlan, requestedBy: string, at: string): MountRecord {
  return {
    mount_id: plan.mountId,
    backup_id: plan.backupId,
    disk_id: plan.diskId,
    vm_context_id: plan.contextId,
    vm_name: plan.vmName,
    image: plan.image,
    idle_seconds: plan.idleSeconds,
    status: 'mounting',
    partitions: [],
    error_code: null,
    error_message: null,
    error_remedy: null,
    requested_by: requestedBy,
    created_at: at,
    opened_at: null,
    closed_at: null,
    revision: NO_REVISION,
  };
}
