import type { ReportingView } from '../platform/reporting/reporting.js';

const column = (name: string, sql: string, about: string) => ({ name, sql, about });

export const vms: ReportingView = {
  name: 'vms_v1',
  about: "One row per VM under OMA's care",
  columns: [
    column('vm_context_id', 'v.context_id', "The VM's identity"),
    column('vm_name', 'v.vm_name', 'Its name in vCenter'),
    column('vcenter_host', 'v.vcenter_host', 'The vCenter that has it'),
    column('datacenter', 'v.datacenter', 'The datacenter within it'),
    column('os_type', 'v.os_type', 'linux, windows or other'),
    column('power_state', 'v.power_state', 'When it was last seen'),
    column('cpu_count', 'v.cpu_count', 'Virtual processors'),
    column('memory_mib', 'v.memory_mb', 'Memory'),
    column('disk_count', 'd.disks', 'How many disks it has'),
    column('capacity_bytes', 'd.bytes', 'Size of these disks'),
    column('added_at', 'v.created_at', 'When it came under care'),
    column('seen_at', 'v.updated_at', 'When it was last seen in vCenter'),
    column('device_keys', 'd.keys', "VMware's numbers of these disks"),
  ],
  from: `from vm_context v cross join lateral (
    select count(*)::integer as disks, coalesce(sum((disk->>'capacity_bytes')::bigint), 0)::bigint as bytes,
           coalesce(array_agg((disk->>'device_key')::bigint order by (disk->>'disk_id')::integer), '{}') as keys
      from jsonb_array_elements(v.disks) disk) d`,
};

export const repositories: ReportingView = {
  name: 'repositories_v1',
  about: 'One row per repository',
  columns: [
    column('repository_id', 'r.repository_id', 'The repository'),
    column('name', 'r.name', 'Its name'),
    column('type', 'r.type', 'local'),
    column('path', 'r.path', 'Its directory'),
    column('is_enabled', 'r.enabled', 'Whether backups may be written to it'),
    column('is_immutable', 'r.is_immutable', 'Whether its files are protected against change'),
    column('min_retention_days', 'r.min_retention_days', 'How long points are kept at least'),
    column(
      'bandwidth_bytes_per_second',
      'r.bandwidth_bytes_per_second',
      'Limit of all jobs that write to it; null for none',
    ),
    column('created_at', 'r.created_at', 'When it was made'),
  ],
  from: `from repository r`,
};
