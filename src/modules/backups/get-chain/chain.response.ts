import type { Damage } from '#projections/backup/backup.projection';
import type { Link } from '#projections/backup/chain.directory';

import { type BackupResponse, backupResponse } from '../backup.response.js';

/** The contract's chain (contract-c 5.13), with its layers beside it. Sizes are bytes. */
export interface ChainResponse {
  chain_id: string;
  vm_context_id: string;
  vm_name: string;
  repository_id: string;
  full_backup_id: string;
  disk_id: number;
  /** Of the image files. */
  total_size_bytes: number;
  backup_count: number;
  backups: readonly BackupResponse[];
  layers: readonly LayerResponse[];
  other_chains: readonly ChainSummary[];
}

export interface LayerResponse {
  backup_id: string;
  parent_backup_id: string | null;
  mode: string;
  /** Why it was copied whole. */
  reason: string | null;
  base_change_id: string | null;
  change_id: string | null;
  size_bytes: number;
  file_size_bytes: number | null;
  /** What the layer itself holds. */
  data_bytes: number | null;
  file_path: string;
  manifest_sha256: string | null;
  compared_with_source: boolean;
  health: string;
  damage: Damage | null;
  verified_at: string | null;
  created_at: string;
}

export interface ChainSummary {
  chain_id: string;
  repository_id: string;
  full_backup_id: string;
  backup_count: number;
  newest_at: string;
}

/** One chain: all links that stand on the same full backup. */
export function chainId({ backup, disk, fullBackupId }: Link): string {
  return `${backup.vmContextId}-disk${disk.disk_id}-chain-${fullBackupId}`;
}

export function chainResponse(links: readonly Link[], others: readonly (readonly Link[])[]): ChainResponse {
  const newest = links.at(-1);
  return {
    chain_id: newest === undefined ? '' : chainId(newest),
    vm_context_id: newest?.backup.vmContextId ?? '',
    vm_name: newest?.backup.vmName ?? '',
    repository_id: newest?.backup.repositoryId ?? '',
    full_backup_id: newest?.fullBackupId ?? '',
    disk_id: newest?.disk.disk_id ?? 0,
    total_size_bytes: links.reduce((sum, { disk }) => sum + (disk.file_size_bytes ?? 0), 0),
    backup_count: links.length,
    backups: links.map(({ backup }) => backupResponse(backup, [])),
    layers: links.map(layerResponse),
    other_chains: others.flatMap(chainSummary),
  };
}

function layerResponse({ backup, disk, health, damage }: Link): LayerResponse {
  return {
    backup_id: backup.backupId,
    parent_backup_id: disk.parent_backup_id,
    mode: disk.mode,
    reason: disk.reason,
    base_change_id: disk.base_change_id,
    change_id: disk.change_id,
    size_bytes: disk.size_bytes,
    file_size_bytes: disk.file_size_bytes,
    data_bytes: disk.data_bytes,
    file_path: disk.image,
    manifest_sha256: disk.manifest_sha256,
    compared_with_source: disk.compared_with_source,
    health,
    damage,
    verified_at: disk.verified_at,
    created_at: backup.createdAt.toISOString(),
  };
}

function chainSummary(links: readonly Link[]): readonly ChainSummary[] {
  const newest = links.at(-1);
  if (newest === undefined) return [];
  const { backup, fullBackupId } = newest;
  return [
    {
      chain_id: chainId(newest),
      repository_id: backup.repositoryId,
      full_backup_id: fullBackupId,
      backup_count: links.length,
      newest_at: backup.createdAt.toISOString(),
    },
  ];
}
