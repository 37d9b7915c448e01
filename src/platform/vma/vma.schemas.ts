import { z } from 'zod';

import type { AgentProgress, FoundVm } from './vma-client.port.js';

const MAX_TEXT = 1024;
const MAX_WORDS = 4096;
const MAX_VMS = 50_000;
const MAX_DISKS = 256;
const DISK_ID = /^(?:disk-)?(\d{1,9})$/;

/** Text from outside: of a sane length, and without what neither JSON nor PostgreSQL can keep. */
function text(max: number, min = 0) {
  return z
    .string()
    .min(min)
    .max(max)
    .transform((value) => Buffer.from(value).toString().replaceAll('\0', ''));
}

const name = text(MAX_TEXT);
const givenName = text(MAX_TEXT, 1);
const optionalName = name.nullish().transform((value) => value ?? '');
const count = z.int().min(0);
const deviceKey = z
  .string()
  .regex(DISK_ID)
  .transform((value) => Number(DISK_ID.exec(value)?.[1]));

const disk = z
  .object({
    id: deviceKey,
    label: optionalName,
    vmdk_path: optionalName,
    path: optionalName,
    capacity_bytes: z.int().positive(),
    datastore: optionalName,
    provisioning_type: optionalName,
    unit_number: z.int().default(0),
  })
  .transform((found) => ({
    deviceKey: found.id,
    label: found.label,
    vmdkPath: found.vmdk_path === '' ? found.path : found.vmdk_path,
    capacityBytes: found.capacity_bytes,
    datastore: found.datastore,
    provisioningType: found.provisioning_type,
    unitNumber: found.unit_number,
  }));

const network = z
  .object({
    label: optionalName,
    network_name: optionalName,
    adapter_type: optionalName,
    mac_address: optionalName,
    connected: z.boolean().default(false),
  })
  .transform((found) => ({
    label: found.label,
    networkName: found.network_name,
    adapterType: found.adapter_type,
    macAddress: found.mac_address,
    connected: found.connected,
  }));

const vm = z
  .object({
    id: givenName,
    name: givenName,
    path: givenName,
    guest_os: optionalName,
    power_state: optionalName,
    memory_mb: count.default(0),
    num_cpu: count.default(0),
    vmx_version: optionalName,
    disks: z
      .array(disk)
      .max(MAX_DISKS)
      .nullish()
      .transform((disks) => disks ?? []),
    networks: z
      .array(network)
      .max(MAX_DISKS)
      .nullish()
      .transform((networks) => networks ?? []),
  })
  .refine(({ disks }) => new Set(disks.map((one) => one.deviceKey)).size === disks.length, 'has two disks of one key')
  .transform((found): FoundVm => ({
    id: found.id,
    name: found.name,
    path: found.path,
    guestOs: found.guest_os,
    powerState: found.power_state,
    memoryMb: found.memory_mb,
    cpuCount: found.num_cpu,
    vmxVersion: found.vmx_version,
    disks: found.disks,
    networks: found.networks,
  }));

/** Answer of `GET /health` (contract-a 17.1). */
export const healthAnswer = z
  .object({ status: z.literal('healthy'), capabilities: z.array(name).max(MAX_DISKS).default([]) })
  .transform(({ capabilities }) => ({
    together: capabilities.includes('disks'),
    hashes: capabilities.includes('hashes'),
  }));

/** Answer of `POST /backup/preflight`. */
export const preflightAnswer = z.object({
  disks: z
    .array(
      z
        .object({
          device_key: count,
          size_bytes: z.int().positive(),
          change_tracking: z.enum(['valid', 'reset', 'off', 'none']),
        })
        .transform((disk) => ({
          deviceKey: disk.device_key,
          sizeBytes: disk.size_bytes,
          changeTracking: disk.change_tracking,
        })),
    )
    .max(MAX_DISKS),
});

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** One line of the answer of `GET /backup/{job}/hashes/{device key}`. */
export const hashLine = z.union([
  z.strictObject({ offset: count, length: z.int().positive(), sha256 }),
  z.strictObject({ offset: count, length: z.int().positive(), zero: z.literal(true) }),
  z.strictObject({ end: z.literal(true), ranges: count }),
]);

/** Answer of `POST /discover` (contract-a 17.2). */
export const discoverAnswer = z.object({
  vms: z
    .array(vm)
    .max(MAX_VMS)
    .nullable()
    .transform((vms) => vms ?? []),
});

/** Answer of `POST /backup/start` (contract-c 5.6). */
export const startAnswer = z.object({ job_id: name });

const diskProgress = z
  .object({
    disk_id: deviceKey.optional(),
    device_key: z.int().min(0).optional(),
    bytes_transferred: count,
    total_bytes: count,
    status: optionalName,
    change_id: name.nullish(),
    mode: z.enum(['full', 'incremental']).nullish(),
    base_change_id: name.nullish(),
  })
  .refine(({ disk_id, device_key }) => disk_id !== undefined || device_key !== undefined, 'names no disk')
  .transform((found) => ({
    deviceKey: found.device_key ?? found.disk_id ?? -1,
    bytesTransferred: found.bytes_transferred,
    totalBytes: found.total_bytes,
    changeId: found.change_id ?? null,
    mode: found.mode ?? null,
    baseChangeId: found.base_change_id ?? null,
    failed: found.status.toLowerCase() === 'failed',
  }));

/** Answer of `GET /progress/{job}` (contract-a 17.5); `disk_progresses` tells of each disk. */
export const progressAnswer = z
  .object({
    status: name,
    bytes_transferred: count.nullish().catch(null),
    total_bytes: count.nullish().catch(null),
    errors: z.array(text(MAX_WORDS)).nullish(),
    last_error: z.union([text(MAX_WORDS), z.object({ message: text(MAX_WORDS) })]).nullish(),
    disk_progresses: z
      .array(diskProgress)
      .max(MAX_DISKS)
      .nullish()
      .transform((disks) => disks ?? []),
  })
  .transform((found): AgentProgress => {
    const last = typeof found.last_error === 'object' ? found.last_error?.message : found.last_error;
    return {
      status: statusOf(found.status),
      error: last ?? found.errors?.[0] ?? null,
      lastError: last === '' ? null : (last ?? null),
      bytesTransferred: found.bytes_transferred ?? null,
      totalBytes: found.total_bytes ?? null,
      disks: found.disk_progresses,
    };
  });

function statusOf(words: string): AgentProgress['status'] {
  switch (words.toLowerCase()) {
    case 'completed':
    case 'succeeded':
      return 'completed';
    case 'failed':
      return 'failed';
    default:
      return 'running';
  }
}
