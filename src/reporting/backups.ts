import type { ReportingView } from '../platform/reporting/reporting.js';

const column = (name: string, sql: string, about: string) => ({ name, sql, about });

export const backups: ReportingView = {
  name: 'backups_v1',
  about: 'One row per backup, whatever became of it',
  columns: [
    column('backup_id', 'b.backup_id', 'The backup, and the job that it was'),
    column('vm_context_id', 'b.vm_context_id', "The VM's identity"),
    column('vm_name', 'b.vm_name', "The VM's name when the backup was asked for"),
    column('repository_id', 'b.repository_id', 'Where it was written to'),
    column('requested_type', 'b.asked_for', 'full, incremental or auto'),
    column('backup_type', 'b.backup_type', 'What OMA made of it: full or incremental'),
    column('policy_id', 'b.policy_id', 'The policy that asked for it, if one did'),
    column('status', 'b.status', 'pending, running, completed, failed or cancelled'),
    column('disk_count', 'd.disks', 'How many disks it is of'),
    column('total_bytes', 'b.total_bytes', 'Size of these disks'),
    column(
      'transferred_bytes',
      'd.copied',
      "What was read of the source, by the agent's account; null when it told nothing",
    ),
    column('data_bytes', 'd.data', 'What its images themselves hold; null before it is completed'),
    column('stored_bytes', 'd.stored', 'Size of its image files; null before it is completed'),
    column('error_code', 'b.error_code', 'Why it failed or was cancelled'),
    column('error_message', 'b.error_message', 'The same in words'),
    column('requested_at', 'b.created_at', 'When it was asked for'),
    column('started_at', 'b.started_at', 'When the copying began'),
    column('ended_at', 'b.completed_at', 'When it was over'),
    column('duration_seconds', 'extract(epoch from b.completed_at - b.created_at)::float8', 'From request to end'),
  ],
  from: `from backup b
    cross join lateral (
      select count(*)::integer as disks, sum((disk->>'bytes_copied')::bigint)::bigint as copied,
             sum((disk->>'data_bytes')::bigint)::bigint as data, sum((disk->>'file_size_bytes')::bigint)::bigint as stored
        from jsonb_array_elements(b.disks) disk) d`,
};

export const restorePoints: ReportingView = {
  name: 'restore_points_v1',
  about: 'One row per disk of each restore point: each can be mounted and restored while is_good',
  columns: [
    column('backup_id', 'b.backup_id', 'The restore point'),
    column('disk_id', `(d->>'disk_id')::integer`, 'Which disk of the VM'),
    column('device_key', `(d->>'device_key')::bigint`, "VMware's number of it"),
    column('vm_context_id', 'b.vm_context_id', "The VM's identity"),
    column('vm_name', 'b.vm_name', "The VM's name when the backup was asked for"),
    column('repository_id', 'b.repository_id', 'Where it lies'),
    column('mode', `d->>'mode'`, 'full or incremental'),
    column('full_reason', `d->>'reason'`, 'Why it is full; null for an increment'),
    column('parent_backup_id', `d->>'parent_backup_id'`, 'The restore point that it stands on'),
    column('layer_count', `jsonb_array_length(d->'layers') + 1`, 'How many images a restore reads'),
    column('size_bytes', `(d->>'size_bytes')::bigint`, 'Size of the disk'),
    column(
      'transferred_bytes',
      `(d->>'bytes_copied')::bigint`,
      'What was read of the source; null when nothing was told',
    ),
    column('stored_bytes', `(d->>'file_size_bytes')::bigint`, 'Size of its image file'),
    column('compared_with_source', `(d->>'compared_with_source')::boolean`, "Compared with the agent's hashes"),
    column('is_good', `not ${damaged('beneath')}`, 'Neither it nor a layer beneath it was found damaged'),
    column('damage', `d->'damage'->>'reason'`, 'What was found wrong with the layer itself'),
    column('taken_at', 'b.created_at', 'When the backup was asked for: what it holds is not older'),
    column('completed_at', 'b.completed_at', 'Since when it can be restored'),
    column('verified_at', `(d->>'verified_at')::timestamptz`, 'When it was last read again and compared'),
  ],
  with: `with damaged as materialized (
    select o.repository_id, x->>'image' as image
      from backup o cross join lateral jsonb_array_elements(o.disks) x
     where o.status = 'completed' and jsonb_typeof(x->'damage') = 'object')`,
  from: `from backup b cross join lateral jsonb_array_elements(b.disks) d where b.status = 'completed'`,
};

function damaged(alias: string): string {
  return `exists (select from damaged ${alias} where ${alias}.repository_id = b.repository_id
    and (${alias}.image = d->>'image' or d->'layers' ? ${alias}.image))`;
}
