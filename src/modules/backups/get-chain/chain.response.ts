import { Shown } from '#platform/http/answer-fields';
import type { Link } from '#projections/backup/chain.directory';

import { BackupResponse, backupResponse } from '../backup.response.js';
import { DamageResponse, MODES } from '../disk.response.js';

const HEALTH = ['good', 'damaged', 'stands-on-damaged'] as const;

/** One layer of a chain. Sizes are bytes. */
export class LayerResponse {
  @Shown.text('the backup that wrote it') backup_id: string;
  @Shown.text('the point that it stands on', { nullable: true }) parent_backup_id: string | null;
  @Shown.oneOf(MODES, 'how it was copied') mode: string;
  @Shown.text('why it was copied whole', { nullable: true }) reason: string | null;
  @Shown.text('since which change id it was copied', { nullable: true }) base_change_id: string | null;
  @Shown.text('the bookmark that the next one begins from', { nullable: true }) change_id: string | null;
  @Shown.whole('of the whole disk') size_bytes: number;
  @Shown.whole('of its image', { nullable: true }) file_size_bytes: number | null;
  @Shown.whole('what the layer itself holds', { nullable: true }) data_bytes: number | null;
  @Shown.text('its image') file_path: string;
  @Shown.text('of its content manifest', { nullable: true }) manifest_sha256: string | null;
  @Shown.flag('whether it was compared with its source') compared_with_source: boolean;
  @Shown.oneOf(HEALTH, 'whether it and what it stands on can be read') health: string;
  @Shown.nested(DamageResponse, 'where it is not what its manifest says', { nullable: true })
  damage: DamageResponse | null;
  @Shown.moment('when it was last compared with its manifest', { nullable: true }) verified_at: string | null;
  @Shown.moment('when its backup was asked for') created_at: string;
}

export class ChainSummary {
  @Shown.text('its id') chain_id: string;
  @Shown.text('where it is kept') repository_id: string;
  @Shown.text('the full backup that it stands on') full_backup_id: string;
  @Shown.whole('how many backups it has') backup_count: number;
  @Shown.moment('when its newest backup was asked for') newest_at: string;
}

/** The contract's chain (contract-c 5.13), with its layers beside it. Sizes are bytes. */
export class ChainResponse {
  @Shown.text('its id; empty when there is none') chain_id: string;
  @Shown.text('which VM') vm_context_id: string;
  @Shown.text('how the VM was called') vm_name: string;
  @Shown.text('where it is kept') repository_id: string;
  @Shown.text('the full backup that it stands on') full_backup_id: string;
  @Shown.whole('which disk of the VM') disk_id: number;
  @Shown.whole('of the image files') total_size_bytes: number;
  @Shown.whole('how many backups it has') backup_count: number;
  @Shown.list(BackupResponse, 'its backups, oldest first') backups: readonly BackupResponse[];
  @Shown.list(LayerResponse, 'their layers of this disk, oldest first') layers: readonly LayerResponse[];
  @Shown.list(ChainSummary, 'the other chains of this disk') other_chains: readonly ChainSummary[];
}

/** One chain: all links that stand on the same full backup. */
export function chainId({ backup, disk, fullBackupId }: Link): string {
  return `${backup.vmContextId}-disk${disk.disk_id}-chain-${fullBackupId}`;
}

export function chainResponse(
  links: readonly Link[],
  others: readonly (readonly Link[])[],
  of: { readonly contextId: string; readonly vmName: string; readonly diskId: number },
): ChainResponse {
  const newest = links.at(-1);
  return {
    chain_id: newest === undefined ? '' : chainId(newest),
    vm_context_id: of.contextId,
    vm_name: of.vmName,
    repository_id: newest?.backup.repositoryId ?? '',
    full_backup_id: newest?.fullBackupId ?? '',
    disk_id: of.diskId,
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
