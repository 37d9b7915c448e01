import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource, In } from 'typeorm';

import { UnknownBackup, UnknownDisk } from '#domain/backup/backup.errors';
import type { CommandContext } from '#domain/kernel/command-context';
import { mount, type MountPlan } from '#domain/restore/mount';
import { RestorePointNotThere, TooManyMounts } from '#domain/restore/mount.errors';
import { until } from '#platform/clock/until';
import { Config } from '#platform/config/config';
import { Aggregates } from '#platform/event-store/aggregates';
import { newId } from '#platform/ids/ids';
import { BackupRow } from '#projections/backup/backup.entity';
import { MountRow } from '#projections/restore/mount.entity';

import type { MountBackupRequest } from './mount-backup.request.js';

/** Each open mount has three programs or more; so many are open at once at most. */
const MAX_MOUNTS = 32;
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

  async execute({ request, context }: MountBackup): Promise<string> {
    const plan = await this.plan(request);
    const { events } = await this.aggregates.handle({
      decider: mount,
      stream: `mount-${plan.mountId}`,
      command: { type: 'RequestMount', plan },
      context,
    });
    if (events.length === 0) throw new Error('a new mount has a first event');
    await until(async () => {
      const row = await this.rows.getRepository(MountRow).findOneBy({ mountId: plan.mountId });
      return row === null || row.status === 'mounting' ? null : row;
    }, OPEN_WITHIN_MS);
    return plan.mountId;
  }

  private async plan({ backup_id: backupId, disk_id: diskId }: MountBackupRequest): Promise<MountPlan> {
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
    const open = await this.rows.getRepository(MountRow).countBy({ status: In(['mounting', 'mounted', 'unmounting']) });
    if (open >= MAX_MOUNTS) throw new TooManyMounts(MAX_MOUNTS);
    return {
      mountId: newId(),
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
