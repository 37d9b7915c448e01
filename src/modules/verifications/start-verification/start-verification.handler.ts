import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { UnknownBackup } from '#domain/backup/backup.errors';
import type { CommandContext } from '#domain/kernel/command-context';
import { RestorePointNotThere } from '#domain/restore/mount.errors';
import {
  NothingToVerify,
  verification,
  type VerificationPlan,
  type VerifiedLayer,
} from '#domain/verification/verification';
import { Views } from '#platform/database/views';
import { Aggregates } from '#platform/event-store/aggregates';
import { idFor } from '#platform/ids/ids';
import { BackupRow } from '#projections/backup/backup.entity';
import { Chains, type Link } from '#projections/backup/chain.directory';

/** Answers the id of the job. */
export class StartVerification extends Command<string> {
  constructor(
    readonly backupId: string,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(StartVerification)
export class StartVerificationHandler implements ICommandHandler<StartVerification> {
  private readonly chains: Chains;

  constructor(
    private readonly aggregates: Aggregates,
    private readonly rows: DataSource,
    views: Views,
  ) {
    this.chains = new Chains(views);
  }

  /** The job's id belongs to the command: sent again, it finds the job of the first time. */
  async execute({ backupId, context }: StartVerification): Promise<string> {
    const jobId = idFor('verification', context.commandId);
    const stream = `verification-${jobId}`;
    if ((await this.aggregates.earlier(stream, context)) === null) {
      const command = { type: 'RequestVerification', plan: await this.plan(jobId, backupId) } as const;
      await this.aggregates.handle({ decider: verification, stream, command, context });
    }
    return jobId;
  }

  private async plan(jobId: string, backupId: string): Promise<VerificationPlan> {
    const backup = await this.rows.getRepository(BackupRow).findOneBy({ backupId });
    if (backup === null) throw new UnknownBackup(backupId);
    if (backup.status !== 'completed') throw new RestorePointNotThere(backupId, backup.status);
    const { vmContextId: contextId, vmName, root } = backup;
    const layers = await Promise.all(backup.disks.map(({ disk_id: diskId }) => this.layersOf(backup, diskId)));
    return { jobId, backupId, contextId, vmName, root, layers: layers.flat() };
  }

  /** From the chain's beginning up to the point. */
  private async layersOf({ backupId, vmContextId, repositoryId }: BackupRow, diskId: number) {
    const links = await this.chains.links({ contextId: vmContextId, repositoryId, diskId });
    const byId = new Map(links.map((link) => [link.backup.backupId, link]));
    const layers: VerifiedLayer[] = [];
    for (let link = byId.get(backupId); link !== undefined;) {
      const parent: Link | undefined = byId.get(link.disk.parent_backup_id ?? '');
      layers.unshift(layerOf(link, parent ?? null));
      link = parent;
    }
    return layers;
  }
}

function layerOf({ backup, disk }: Link, parent: Link | null): VerifiedLayer {
  if (disk.manifest_sha256 === null) throw new NothingToVerify(backup.backupId);
  return {
    backupId: backup.backupId,
    deviceKey: disk.device_key,
    sizeBytes: disk.size_bytes,
    image: disk.image,
    beneath: disk.layers,
    manifestSha256: disk.manifest_sha256,
    parentManifestSha256: parent?.disk.manifest_sha256 ?? null,
  };
}
