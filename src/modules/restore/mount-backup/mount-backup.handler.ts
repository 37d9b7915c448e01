import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, In } from 'typeorm';

import { UnknownBackup, UnknownDisk } from '#domain/backup/backup.errors';
import type { CommandContext } from '#domain/kernel/command-context';
import { mount, type MountPlan } from '#domain/restore/mount';
import { MAX_MOUNTS, RestorePointNotThere, TooManyMounts } from '#domain/restore/mount.errors';
import { until } from '#platform/clock/until';
import { Config } from '#platform/config/config';
import { Aggregates } from '#platform/event-store/aggregates';
import { NotVisibleYet } from '#platform/http/edge.errors';
import { idFor } from '#platform/ids/ids';
import { BackupRow } from '#projections/backup/backup.entity';
import { MountRow } from '#projections/restore/mount.entity';

import type { MountBackupRequest } from './mount-backup.request.js';

/** A mount usually opens within a second: then the first answer can say so. */
const OPEN_WITHIN_MS = 2000;

/** Answers the mount's id; its job has the same. */
export class MountBackup extends Command<string> {
  constructor(
    readonly request: MountBackupRequest,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(MountBackup)
export class MountBackupHandler implements ICommandHandler<MountBackup> {
  constructor(
    private readonly aggregates: Aggregates,
    private readonly rows: DataSource,
    private readonly config: Config,
  ) {}

  /** The mount's id belongs to the command: sent again, it finds the mount of the first time. */
  async execute({ request, context }: MountBackup): Promise<string> {
    const mountId = idFor('mount', context.commandId);
    const stream = `mount-${mountId}`;
    if ((await this.aggregates.earlier(stream, context)) === null) {
      const command = { type: 'RequestMount', plan: await this.plan(mountId, request) } as const;
      await this.aggregates.handle({ decider: mount, stream, command, context });
    }
    const row = await until(async () => {
      const found = await this.rows.getRepository(MountRow).findOneBy({ mountId });
      return found === null || found.status === 'mounting' ? null : found;
    }, OPEN_WITHIN_MS);
    if (row === null && !(await this.rows.getRepository(MountRow).existsBy({ mountId })))
      throw new NotVisibleYet(mountId);
    return mountId;
  }

  private async plan(mountId: string, request: MountBackupRequest): Promise<MountPlan> {
    const { backup_id: backupId, disk_id: diskId } = request;
    const backup = await this.rows.getRepository(BackupRow).findOneBy({ backupId });
    if (backup === null) throw new UnknownBackup(backupId);
    if (backup.status !== 'completed') throw new RestorePointNotThere(backupId, backup.status);
    const disk = backup.disks.find((candidate) => diskId === undefined || candidate.disk_id === diskId);
    if (disk === undefined) {
      throw new UnknownDisk(
        diskId ?? 0,
        backup.disks.map((one) => one.disk_id),
      );
    }
    // Spares most of those a job that are too many; rows lag, and where mounts are made they are counted exactly.
    const open = await this.rows.getRepository(MountRow).countBy({ status: In(['mounting', 'mounted', 'unmounting']) });
    if (open >= MAX_MOUNTS) throw new TooManyMounts();
    return {
      mountId,
      backupId,
      contextId: backup.vmContextId,
      vmName: backup.vmName,
      diskId: disk.disk_id,
      root: backup.root,
      image: disk.image,
      layers: disk.layers,
      idleSeconds: this.config.mountIdleSeconds,
    };
  }
}
