import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { backup } from '#domain/backup/backup';
import { UnknownJob } from '#domain/jobs/job.errors';
import type { CommandContext } from '#domain/kernel/command-context';
import { mount } from '#domain/restore/mount';
import { MountNotOpening } from '#domain/restore/mount.errors';
import { verification } from '#domain/verification/verification';
import { Aggregates } from '#platform/event-store/aggregates';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';
import { JobRow } from '#projections/jobs/job.entity';

const VISIBLE_WITHIN_MS = 1500;

/** Acknowledged at once; the job ends within seconds, once everything it had begun is undone. */
export class CancelJob extends Command<void> {
  constructor(
    readonly jobId: string,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(CancelJob)
export class CancelJobHandler implements ICommandHandler<CancelJob> {
  constructor(
    private readonly aggregates: Aggregates,
    private readonly rows: DataSource,
    private readonly progress: ProjectionProgress,
  ) {}

  async execute({ jobId, context }: CancelJob): Promise<void> {
    const row = await this.rows.getRepository(JobRow).findOneBy({ jobId });
    if (row === null) throw new UnknownJob(jobId);
    const { position } = await this.cancel(row, context);
    await this.progress.waitFor(['job'], position, VISIBLE_WITHIN_MS);
  }

  private async cancel({ jobId, jobType, status }: JobRow, context: CommandContext) {
    switch (jobType) {
      case 'backup': {
        const command = { type: 'RequestCancel', jobId } as const;
        return this.aggregates.handle({ decider: backup, stream: `backup-${jobId}`, command, context });
      }
      case 'restore_mount': {
        const earlier = await this.aggregates.earlier(`mount-${jobId}`, context);
        if (earlier !== null) return earlier;
        if (status !== 'running') throw new MountNotOpening(jobId, status);
        const command = { type: 'RequestUnmount', mountId: jobId, why: 'somebody asked to cancel it' } as const;
        return this.aggregates.handle({ decider: mount, stream: `mount-${jobId}`, command, context });
      }
      case 'verification': {
        const command = { type: 'RequestCancel', jobId } as const;
        return this.aggregates.handle({ decider: verification, stream: `verification-${jobId}`, command, context });
      }
    }
  }
}
