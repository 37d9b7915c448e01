import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { IncrementalNotOffered } from '#domain/backup/backup.errors';
import type { CommandContext } from '#domain/kernel/command-context';
import { newId } from '#platform/ids/ids';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';
import { VmDirectory } from '#projections/inventory/vm.directory';

import { BackupHold } from '../backup-hold.js';
import { BackupTarget } from '../backup-target.js';
import { plannedDisks } from '../planned-disks.js';
import type { StartBackupRequest } from './start-backup.request.js';

const VISIBLE_WITHIN_MS = 1500;

type Started = { readonly backupId: string; readonly pending: boolean };

export class StartBackup extends Command<Started> {
  constructor(
    readonly request: StartBackupRequest,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(StartBackup)
export class StartBackupHandler implements ICommandHandler<StartBackup> {
  private readonly directory: VmDirectory;

  constructor(
    private readonly target: BackupTarget,
    private readonly hold: BackupHold,
    private readonly progress: ProjectionProgress,
    rows: DataSource,
  ) {
    this.directory = new VmDirectory(rows);
  }

  /** Holds the VM, with everything that the job needs to know; the saga goes on from there. */
  async execute({ request, context }: StartBackup): Promise<Started> {
    if (request.backup_type === 'incremental') throw new IncrementalNotOffered();
    const vm = await this.directory.resolve(request.vm_name);
    const jobId = newId();
    const { disks, credentialId } = plannedDisks(vm, request.disk_id, jobId);
    const repository = await this.target.open(request.repository_id, disks);
    const { contextId, vmName, vmPath } = vm;
    const plan = {
      jobId,
      contextId,
      vmName,
      vmPath,
      credentialId,
      repositoryId: repository.repositoryId,
      root: repository.path,
      backupType: 'full' as const,
      policyId: request.policy_id ?? null,
      tags: request.tags ?? {},
      disks,
    };
    const { events, position } = await this.hold.take({ jobId, contextId, operation: 'backup', plan }, context);
    const visible = await this.progress.waitFor(['backup', 'job'], position, VISIBLE_WITHIN_MS);
    // The same command sent again finds the job of the first time.
    return { backupId: events[0]?.data.jobId ?? jobId, pending: !visible };
  }
}
