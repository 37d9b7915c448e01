import { Injectable } from '@nestjs/common';

import { VmDisksChanged, VmNotInVcenter } from '#domain/backup/backup.errors';
import type { BackupPlan, PlannedDisk } from '#domain/backup/backup-plan';
import {
  type AskedType,
  type ChainHead,
  type ChangeTracking,
  chooseModes,
  type DiskFacts,
  type ImageCondition,
} from '#domain/backup/disk-mode';
import { RepositoryAway } from '#domain/repository/repository.errors';
import { Views } from '#platform/database/views';
import { ImageConditions, ImagesOutOfReach } from '#platform/qemu/image-conditions.port';
import { Agents } from '#platform/vma/agents';
import { VcenterCredentials } from '#platform/vma/vcenter-credentials.port';
import type { DiskNow, FoundVm, VcenterAccount, VmaClient } from '#platform/vma/vma-client.port';
import { Chains, type RepositoryChains } from '#projections/backup/chain.directory';
import type { VmContextRow } from '#projections/inventory/vm-context.entity';
import type { RepositoryRow } from '#projections/repository/repository.entity';

import { BackupTarget } from './backup-target.js';
import { type ChosenDisk, chosenDisks } from './chosen-disks.js';
import type { StartBackupRequest } from './start-backup/start-backup.request.js';

type Heads = readonly DiskFacts['head'][];

/** Decides everything about a backup before it starts: which disks, each how and from which base, to where. */
@Injectable()
export class BackupPlanner {
  private readonly chains: Chains;

  constructor(
    private readonly target: BackupTarget,
    private readonly conditions: ImageConditions,
    private readonly agents: Agents,
    private readonly credentials: VcenterCredentials,
    views: Views,
  ) {
    this.chains = new Chains(views);
  }

  /** Throws the refusals of disks (VmDisksChanged and VmNotInVcenter among them), repository, agent and space, and IncrementalNotPossible. */
  async plan(jobId: string, vm: VmContextRow, request: StartBackupRequest): Promise<BackupPlan> {
    const { disks: chosen, credentialId } = chosenDisks(vm, request.disk_id);
    const repository = await this.target.open(request.repository_id);
    const agent = this.agents.beside(vm.vcenterHost);
    const { contextId, vmName, vmPath } = vm;
    const disks = await this.planDisks(jobId, vm, request.backup_type, { chosen, credentialId, repository });
    await this.target.requireSpace(repository, disks);
    return {
      jobId,
      contextId,
      vmName,
      vmPath,
      credentialId,
      agent: agent.name,
      repositoryId: repository.repositoryId,
      root: repository.path,
      askedFor: request.backup_type,
      backupType: disks.some(({ mode }) => mode.is === 'incremental') ? 'incremental' : 'full',
      bandwidth: {
        jobBytesPerSecond: request.bandwidth_limit_bytes_per_second ?? null,
        repositoryBytesPerSecond: repository.bandwidthBytesPerSecond,
      },
      policyId: request.policy_id ?? null,
      tags: request.tags ?? {},
      disks,
    };
  }

  private async planDisks(
    jobId: string,
    vm: VmContextRow,
    asked: AskedType,
    {
      chosen,
      credentialId,
      repository,
    }: { chosen: readonly ChosenDisk[]; credentialId: number; repository: RepositoryRow },
  ): Promise<readonly PlannedDisk[]> {
    const { contextId } = vm;
    const { repositoryId } = repository;
    const found = await Promise.all(
      chosen.map(async ({ diskId }) =>
        asked === 'full' ? null : this.chains.head({ contextId, repositoryId, diskId }),
      ),
    );
    const heads: Heads = found.map((head) => (head === 'damaged' ? null : head));
    const now = await this.now(vm, credentialId, chosen, heads);
    refuseOtherDisks(vm, chosen, now);
    const facts = await Promise.all(
      chosen.map(async ({ diskId, deviceKey, sizeBytes }, index): Promise<DiskFacts> => {
        const head = heads[index] ?? null;
        const seen = now.get(deviceKey);
        const condition = head === null ? 'intact' : await this.condition(repository, head);
        return {
          diskId,
          sizeBytes: seen?.sizeBytes ?? sizeBytes,
          head,
          pointsDamaged: found[index] === 'damaged',
          tracking: await this.tracking({ contextId, repositoryId, diskId }, head, seen?.changeTracking ?? 'unknown'),
          condition,
        };
      }),
    );
    const modes = chooseModes(asked, facts);
    return chosen.map(({ diskId, deviceKey, sizeBytes }, index) => ({
      diskId,
      deviceKey,
      sizeBytes: facts[index]?.sizeBytes ?? sizeBytes,
      image: `${contextId}/disk-${diskId}/${jobId}.qcow2`,
      mode: modes[index] ?? { is: 'full', because: 'asked-for' },
    }));
  }

  /** An agent that can't be asked shows a reset only by the increment that came to nothing. */
  private async tracking(
    place: RepositoryChains,
    head: ChainHead | null,
    said: ChangeTracking,
  ): Promise<ChangeTracking> {
    if (said !== 'unknown' || head === null) return said;
    return (await this.chains.wasReset(place, head)) ? 'reset' : said;
  }

  /** Throws RepositoryAway when it can't be told. */
  private async condition({ repositoryId, path }: RepositoryRow, head: ChainHead): Promise<ImageCondition> {
    try {
      return await this.conditions.of(path, head);
    } catch (error) {
      throw error instanceof ImagesOutOfReach ? new RepositoryAway(repositoryId) : error;
    }
  }

  /**
   * All disks of the VM as their vCenter knows them now. A full backup can't do without the answer either: it would lack
   * the disks that were attached since, and have the old sizes of those that grew.
   */
  private async now(
    vm: VmContextRow,
    credentialId: number,
    chosen: readonly ChosenDisk[],
    heads: Heads,
  ): Promise<ReadonlyMap<number, DiskNow>> {
    const account = await this.credentials.open(credentialId);
    const asking = chosen.map(({ deviceKey }, index) => ({ deviceKey, baseChangeId: heads[index]?.changeId ?? null }));
    const { client } = this.agents.beside(vm.vcenterHost);
    return (await client.preflight(vm.vmPath, account, asking)) ?? discovered(vm, client, account);
  }
}

/**
 * What an agent of the first generation can tell: which disks there are, and nothing of their tracking. Of a VM that it finds
 * by its name it may tell a path that is a guess (contract-a 17.2); of all VMs at once it tells the paths that they have.
 */
async function discovered(
  { contextId, vmName, vmPath }: VmContextRow,
  client: VmaClient,
  account: VcenterAccount,
): Promise<ReadonlyMap<number, DiskNow>> {
  const among = (found: readonly FoundVm[]) => found.find(({ path }) => path === vmPath);
  const vm = among(await client.discover(account, vmName)) ?? among(await client.discover(account, null));
  if (vm === undefined) throw new VmNotInVcenter(contextId);
  return new Map(
    vm.disks.map(({ deviceKey, capacityBytes }) => [
      deviceKey,
      { sizeBytes: capacityBytes, changeTracking: 'unknown' },
    ]),
  );
}

/** A backup of a VM has all its disks, one of a disk has that disk; so OMA must know the ones there are. */
function refuseOtherDisks(
  { contextId, disks }: VmContextRow,
  chosen: readonly ChosenDisk[],
  now: ReadonlyMap<number, DiskNow>,
): void {
  const known = new Set(disks.map((disk) => disk.device_key));
  const isWhole = chosen.length === known.size;
  const added = isWhole ? [...now.keys()].filter((key) => !known.has(key)) : [];
  const removed = chosen.map(({ deviceKey }) => deviceKey).filter((key) => !now.has(key));
  if (added.length + removed.length > 0) throw new VmDisksChanged(contextId, { added, removed });
}
