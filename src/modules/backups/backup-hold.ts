import { Injectable } from '@nestjs/common';

import { backup } from '#domain/backup/backup';
import { RestorePointsBehind } from '#domain/backup/backup.errors';
import { TurnHasPassed, type VmHeld, vmHold, type VmHoldEvent, VmIsHeld } from '#domain/hold/vm-hold';
import type { CommandContext } from '#domain/kernel/command-context';
import { until } from '#platform/clock/until';
import { Aggregates, type Decided } from '#platform/event-store/aggregates';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';

/** A job that is over lets go of its VM at once; waiting longer would hide that it didn't. */
const RELEASED_WITHIN_MS = 3000;
const ROWS_WITHIN_MS = 5000;
const MAX_ROUNDS = 5;

/** Takes VMs for backups. */
@Injectable()
export class BackupHold {
  constructor(
    private readonly aggregates: Aggregates,
    private readonly progress: ProjectionProgress,
  ) {}

  /**
   * Plans and takes the VM so that nothing comes in between: the plan is made of rows that show every operation before it,
   * and made anew when another one was faster. Throws VmIsHeld with the job that has the VM. A backup that is over and about
   * to let go doesn't count: who was told that it ended may begin the next one.
   */
  async take(
    contextId: string,
    plan: () => Promise<VmHeld['data']>,
    context: CommandContext,
  ): Promise<Decided<VmHoldEvent>> {
    const stream = streamOf(contextId);
    const before = await this.aggregates.earlier<VmHoldEvent>(stream, context);
    if (before !== null) return before;
    for (let round = 1; ; round += 1) {
      const turn = await this.freeTurn(contextId);
      const held = await plan();
      try {
        return await this.aggregates.handle({
          decider: vmHold,
          stream,
          command: { type: 'TakeHold', turn, ...held },
          context,
        });
      } catch (error) {
        if (!(error instanceof TurnHasPassed) || round >= MAX_ROUNDS) throw error;
      }
    }
  }

  private async freeTurn(contextId: string): Promise<number> {
    let state = await this.aggregates.load(vmHold, streamOf(contextId));
    if (state.is === 'held') {
      if (!(await this.isOver(state.jobId))) throw new VmIsHeld(state.operation, state.jobId);
      await until(() => this.released(contextId), RELEASED_WITHIN_MS);
      state = await this.aggregates.load(vmHold, streamOf(contextId));
      if (state.is === 'held') throw new VmIsHeld(state.operation, state.jobId);
    }
    if (!(await this.progress.waitForHead(['backup'], ROWS_WITHIN_MS))) throw new RestorePointsBehind();
    return state.turn;
  }

  private async isOver(jobId: string): Promise<boolean> {
    return (await this.aggregates.load(backup, `backup-${jobId}`)).is === 'over';
  }

  private async released(contextId: string): Promise<true | null> {
    return (await this.aggregates.load(vmHold, streamOf(contextId))).is === 'free' ? true : null;
  }
}

function streamOf(contextId: string): string {
  return `vmhold-${contextId}`;
}
