import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import type { CommandContext } from '#domain/kernel/command-context';
import { mount } from '#domain/restore/mount';
import { UnknownMount } from '#domain/restore/mount.errors';
import { until } from '#platform/clock/until';
import { Aggregates } from '#platform/event-store/aggregates';
import { MountRow } from '#projections/restore/mount.entity';

/** Unmounting usually takes a fraction of a second; what takes longer goes on and is told as `unmounting`. */
const CLOSED_WITHIN_MS = 10_000;

/** Answers the status that the mount has then. */
export class Unmount extends Command<MountRow['status']> {
  constructor(
    readonly mountId: string,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(Unmount)
export class UnmountHandler implements ICommandHandler<Unmount> {
  constructor(
    private readonly aggregates: Aggregates,
    private readonly rows: DataSource,
  ) {}

  async execute({ mountId, context }: Unmount): Promise<MountRow['status']> {
    const known = await this.rows.getRepository(MountRow).existsBy({ mountId });
    if (!known) throw new UnknownMount(mountId);
    await this.aggregates.handle({
      decider: mount,
      stream: `mount-${mountId}`,
      command: { type: 'RequestUnmount', mountId, why: 'somebody asked to unmount it' },
      context,
    });
    const closed = await until(() => this.closed(mountId), CLOSED_WITHIN_MS);
    return closed ?? 'unmounting';
  }

  private async closed(mountId: string): Promise<MountRow['status'] | null> {
    const row = await this.rows.getRepository(MountRow).findOneBy({ mountId });
    return row?.status === 'unmounted' || row?.status === 'failed' ? row.status : null;
  }
}
