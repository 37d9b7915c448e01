import type { CommandContext } from '#domain/kernel/command-context';
import { projectionUpkeep, type ProjectionUpkeepEvent } from '#domain/operations/projection-upkeep';
import type { Aggregates } from '#platform/event-store/aggregates';
import type { CheckStatus } from '#platform/projections/check-log';
import type { ProjectionProgress, ProjectionStatus } from '#platform/projections/projection-progress.port';
import type { ProjectionUpkeep } from '#platform/projections/projection-upkeep.port';

import {
  NoRebuildUnderWay,
  NoStoppedProjection,
  NotStoppedThere,
  OtherVersionLive,
  ReasonMissing,
  RebuildUnderWay,
  UnknownCheck,
  UnknownProjection,
} from './operations.errors.js';

/** What admins want of projections, from the API and from the command line. Who asked is in the log before it is done. */
export class ProjectionOrders {
  constructor(
    private readonly aggregates: Aggregates,
    private readonly progress: Pick<ProjectionProgress, 'status'>,
    private readonly upkeep: ProjectionUpkeep,
  ) {}

  async all(): Promise<readonly ProjectionStatus[]> {
    return this.progress.status();
  }

  async one(name: string): Promise<ProjectionStatus> {
    const status = (await this.all()).find((projection) => projection.name === name);
    if (status === undefined) throw new UnknownProjection(name);
    return status;
  }

  async rebuild(name: string, context: CommandContext): Promise<ProjectionStatus> {
    const status = await this.own(name);
    if (status.building !== null) throw new RebuildUnderWay(name);
    await this.note(name, { type: 'ProjectionRebuildRequested', data: whose(status) }, context);
    if ((await this.upkeep.rebuild(name)) === null) throw new RebuildUnderWay(name);
    return this.one(name);
  }

  async cancel(name: string, context: CommandContext): Promise<ProjectionStatus> {
    const status = await this.own(name);
    if (status.building === null) throw new NoRebuildUnderWay(name);
    await this.note(name, { type: 'ProjectionRebuildCancelled', data: whose(status) }, context);
    if (!(await this.upkeep.cancel(name))) throw new NoRebuildUnderWay(name);
    return this.one(name);
  }

  async retry(name: string, context: CommandContext): Promise<ProjectionStatus> {
    const status = await this.one(name);
    if (status.status !== 'stopped' && status.building?.status !== 'stopped') throw new NoStoppedProjection(name);
    await this.note(name, { type: 'ProjectionRetryRequested', data: whose(status) }, context);
    if (!(await this.upkeep.retry(name))) throw new NoStoppedProjection(name);
    return this.one(name);
  }

  async skip(name: string, eventId: string, context: CommandContext): Promise<ProjectionStatus> {
    const { reason, actor } = context;
    if (reason === undefined) throw new ReasonMissing();
    const status = await this.one(name);
    const stopped = [status, status.building].find((rows) => rows?.stoppedEventId === eventId);
    if (stopped === undefined || stopped === null) throw new NotStoppedThere(name, eventId);
    const data = { ...whose(status), eventId, error: stopped.error ?? '' };
    await this.note(name, { type: 'ProjectionEventSkipped', data }, context);
    const why = { actor: `${actor.kind} ${actor.id}`, reason };
    if (!(await this.upkeep.skip(name, eventId, why))) throw new NotStoppedThere(name, eventId);
    return this.one(name);
  }

  async verify(name: string, context: CommandContext): Promise<CheckStatus> {
    const status = await this.own(name);
    await this.note(name, { type: 'ProjectionVerificationRequested', data: whose(status) }, context);
    return this.upkeep.verify(name);
  }

  async check(name: string, checkId: string): Promise<CheckStatus> {
    const check = await this.upkeep.check(checkId);
    if (check?.name !== name) throw new UnknownCheck(name, checkId);
    return check;
  }

  private async own(name: string): Promise<ProjectionStatus> {
    const status = await this.one(name);
    if (status.version !== status.ownVersion) throw new OtherVersionLive(name, status.version);
    return status;
  }

  private async note(projection: string, fact: ProjectionUpkeepEvent, context: CommandContext): Promise<void> {
    const call = { decider: projectionUpkeep, stream: `projection-${projection}`, command: fact, context };
    await this.aggregates.handle(call);
  }
}

function whose({ name, ownVersion }: ProjectionStatus): { readonly projection: string; readonly version: number } {
  return { projection: name, version: ownVersion };
}
