import { Injectable } from '@nestjs/common';

import { backup } from '#domain/backup/backup';
import { type VmHeld, vmHold, type VmHoldEvent, VmIsHeld } from '#domain/hold/vm-hold';
import type { CommandContext } from '#domain/kernel/command-context';
import { until } from '#platform/clock/until';
import { Aggregates, type Decided } from '#platform/event-store/aggregates';

/** A job that is over lets go of its VM at once; waiting longer would hide that it didn't. */
const RELEASED_WITHIN_MS = 3000;

/** Takes VMs for backups. */
@Injectable()
export class BackupHold {
  constructor(private readonly aggregates: Aggregates) {}

  /**
   * Throws VmIsHeld with the job that has it. A backup that is over and about to let go doesn't count: who was told that it
   * ended may begin the next one.
   */
  async take(held: VmHeld['data'], context: CommandContext): Promise<Decided<VmHoldEvent>> {
    try {
      return await this.ask(held, context);
    } catch (error) {
      if (!(error instanceof VmIsHeld) || !(await this.isOver(error.jobId))) throw error;
      await until(() => this.released(held.contextId), RELEASED_WITHIN_MS);
      return this.ask(held, context);
    }
  }

  private ask(held: VmHeld['data'], context: CommandContext): Promise<Decided<VmHoldEvent>> {
    const stream = `vmhold-${held.contextId}`;
    return this.aggregates.handle({ decider: vmHold, stream, command: { type: 'TakeHold', ...held }, context });
  }

  private async isOver(jobId: string): Promise<boolean> {
    return (await this.aggregates.load(backup, `backup-${jobId}`)).is === 'over';
  }

  private async released(contextId: string): Promise<true | null> {
    return (await this.aggregates.load(vmHold, `vmhold-${contextId}`)).is === 'free' ? true : null;
  }
}
