import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

import { readAgentJobId } from '#domain/backup/agent-job';
import { backup } from '#domain/backup/backup';
import { DiskNotInJob } from '#domain/backup/backup.errors';
import type { CommandContext } from '#domain/kernel/command-context';
import { Clock } from '#platform/clock/clock.port';
import { Aggregates } from '#platform/event-store/aggregates';
import { CompletionCalls } from '#platform/vma/completion-calls';

import type { CompleteDiskRequest } from './complete-disk.request.js';
import type { DiskCompletedResponse } from './complete-disk.response.js';

export class CompleteDisk extends Command<DiskCompletedResponse> {
  constructor(
    readonly backupId: string,
    readonly request: CompleteDiskRequest,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(CompleteDisk)
export class CompleteDiskHandler implements ICommandHandler<CompleteDisk> {
  constructor(
    private readonly aggregates: Aggregates,
    private readonly calls: CompletionCalls,
    private readonly clock: Clock,
  ) {}

  /** Takes the agent's word for one disk; whether the backup is complete is decided elsewhere, with all proofs. */
  async execute({ backupId, request, context }: CompleteDisk): Promise<DiskCompletedResponse> {
    const { jobId, diskId: named } = readAgentJobId(backupId);
    const { change_id: changeId, disk_id: said = named, device_key: deviceKey = null } = request;
    if (named !== null && said !== named) throw new DiskNotInJob(jobId);
    await this.aggregates.handle({
      decider: backup,
      stream: `backup-${jobId}`,
      command: { type: 'ReportDisk', jobId, agent: context.actor.id, diskId: said, deviceKey, changeId },
      context,
    });
    this.calls.told(jobId);
    return {
      status: 'completed',
      backup_id: backupId,
      change_id: changeId,
      message: 'the disk was taken down as copied; the backup is complete when all of its disks are proven',
      timestamp: this.clock.now().toISOString(),
    };
  }
}
