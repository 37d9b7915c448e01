import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

import type { CommandContext } from '#domain/kernel/command-context';
import { Views } from '#platform/database/views';
import { NotVisibleYet } from '#platform/http/edge.errors';
import { newId } from '#platform/ids/ids';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';
import { VmDirectory } from '#projections/inventory/vm.directory';

import { BackupHold } from '../backup-hold.js';
import { BackupPlanner } from '../backup-planner.js';
import type { StartBackupRequest } from './start-backup.request.js';

const VISIBLE_WITHIN_MS = 1500;

/** Answers the backup's id; its job has the same. */
export class StartBackup extends Command<string> {
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
    private readonly planner: BackupPlanner,
    private readonly hold: BackupHold,
    private readonly progress: ProjectionProgress,
    views: Views,
  ) {
    this.directory = new VmDirectory(views);
  }

  /** Holds the VM, with everything that the job needs to know; the saga goes on from there. */
  async execute({ request, context }: StartBackup): Promise<string> {
    const vm = await this.directory.resolve(request.vm_name);
    const jobId = newId();
    const { contextId } = vm;
    const plan = async () => {
      const made = await this.planner.plan(jobId, vm, request);
      return { jobId, contextId, operation: 'backup' as const, plan: made };
    };
    const { events, position } = await this.hold.take(contextId, plan, context);
    // The same command sent again finds the job of the first time.
    const backupId = events[0]?.data.jobId ?? jobId;
    if (!(await this.progress.waitFor(['backup'], position, VISIBLE_WITHIN_MS))) throw new NotVisibleYet(backupId);
    return backupId;
  }
}
