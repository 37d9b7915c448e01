import { Injectable } from '@nestjs/common';

import { backup } from '#domain/backup/backup';
import { BackupIsOver, UnknownBackup } from '#domain/backup/backup.errors';
import type { BackupPlan } from '#domain/backup/backup-plan';
import { vmHold } from '#domain/hold/vm-hold';
import { Aggregates } from '#platform/event-store/aggregates';

/** Backups that are under way, as the agent sees them that was given them. */
@Injectable()
export class OpenJobs {
  constructor(private readonly aggregates: Aggregates) {}

  /** Throws UnknownBackup, also for a job of another agent, or BackupIsOver. */
  async of(agent: string, jobId: string): Promise<BackupPlan> {
    const state = await this.aggregates.load(backup, `backup-${jobId}`);
    if (state.is === 'over') throw new BackupIsOver(jobId, state.as);
    if (state.is === 'planned' || state.plan.agent !== agent) throw new UnknownBackup(jobId);
    return state.plan;
  }

  /** The job that holds a VM, when it is a backup of this agent's; else null. */
  async ofVm(agent: string, contextId: string): Promise<BackupPlan | null> {
    const hold = await this.aggregates.load(vmHold, `vmhold-${contextId}`);
    if (hold.is === 'free') return null;
    const state = await this.aggregates.load(backup, `backup-${hold.jobId}`);
    return state.is === 'running' && state.plan.agent === agent ? state.plan : null;
  }
}
