import type { CommandContext } from '#domain/kernel/command-context';
import { projectionUpkeep, type ProjectionUpkeepEvent } from '#domain/operations/projection-upkeep';
import type { Aggregates } from '#platform/event-store/aggregates';
import { idFor } from '#platform/ids/ids';
import type { CheckStatus } from '#platform/projections/check-log';
import type { ProjectionProgress, ProjectionStatus, WhichBuild } from '#platform/projections/projection-progress.port';
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

/**
 * What admins want of projections, from the API and from the command line. Who asked is in the log before it is done. An order that
 * is there already was given before, by the same command: what may have been left undone then is done, and nothing is in the way.
 */
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
    const earlier = await this.earlier(name, context);
    if (earlier !== null) {
      if (isStillRead(earlier, status)) await this.upkeep.rebuild(name);
      return this.one(name);
    }
    if (status.building !== null) throw new RebuildUnderWay(name);
    const data = { ...whose(status), generation: status.generation };
    await this.note(name, { type: 'ProjectionRebuildRequested', data }, context);
    if ((await this.upkeep.rebuild(name)) === null) throw new RebuildUnderWay(name);
    return this.one(name);
  }

  async cancel(name: string, context: CommandContext): Promise<ProjectionStatus> {
    const status = await this.own(name);
    const earlier = await this.earlier(name, context);
    if (earlier !== null) {
      // Of an order that doesn't say what it was meant for, nobody knows whether it is what is built now.
      const meant = buildMeant(earlier);
      if (meant !== null) await this.upkeep.cancel(name, meant);
      return this.one(name);
    }
    const { building } = status;
    if (building === null) throw new NoRebuildUnderWay(name);
    const data = { ...whose(status), generation: building.generation, startedAt: building.startedAt.toISOString() };
    await this.note(name, { type: 'ProjectionRebuildCancelled', data }, context);
    if (!(await this.upkeep.cancel(name, building))) throw new NoRebuildUnderWay(name);
    return this.one(name);
  }

  async retry(name: string, context: CommandContext): Promise<ProjectionStatus> {
    const status = await this.one(name);
    const stoppedAt = stopsOf(status);
    const earlier = await this.earlier(name, context);
    if (earlier !== null) {
      if (stoppedAt.some((eventId) => stopsMeant(earlier).includes(eventId))) await this.upkeep.retry(name);
      return this.one(name);
    }
    if (stoppedAt.length === 0) throw new NoStoppedProjection(name);
    await this.note(name, { type: 'ProjectionRetryRequested', data: { ...whose(status), stoppedAt } }, context);
    if (!(await this.upkeep.retry(name))) throw new NoStoppedProjection(name);
    return this.one(name);
  }

  async skip(name: string, eventId: string, context: CommandContext): Promise<ProjectionStatus> {
    const { reason, actor } = context;
    if (reason === undefined) throw new ReasonMissing();
    const status = await this.one(name);
    const again = (await this.earlier(name, context)) !== null;
    const stopped = [status, status.building].find((rows) => rows?.stoppedEventId === eventId) ?? null;
    if (stopped === null && !again) throw new NotStoppedThere(name, eventId);
    const data = { ...whose(status), eventId, error: stopped?.error ?? '' };
    await this.note(name, { type: 'ProjectionEventSkipped', data }, context);
    const why = { actor: `${actor.kind} ${actor.id}`, reason };
    if (!(await this.upkeep.skip(name, eventId, why)) && !again) throw new NotStoppedThere(name, eventId);
    return this.one(name);
  }

  async verify(name: string, context: CommandContext): Promise<CheckStatus> {
    const status = await this.own(name);
    await this.note(name, { type: 'ProjectionVerificationRequested', data: whose(status) }, context);
    return this.upkeep.verify(name, idFor('check', context.commandId, name));
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

  /** The order that this command gave before; null when it is the first time. */
  private async earlier(projection: string, context: CommandContext): Promise<ProjectionUpkeepEvent | null> {
    const decided = await this.aggregates.earlier<ProjectionUpkeepEvent>(`projection-${projection}`, context);
    return decided?.events[0] ?? null;
  }

  private async note(projection: string, fact: ProjectionUpkeepEvent, context: CommandContext): Promise<void> {
    const call = { decider: projectionUpkeep, stream: `projection-${projection}`, command: fact, context };
    await this.aggregates.handle(call);
  }
}

/** Whether the rows that were read when a rebuild was asked for are still read, and none are built that could take their place. */
function isStillRead({ data }: ProjectionUpkeepEvent, { building, ownVersion, generation }: ProjectionStatus): boolean {
  return building === null && data.version === ownVersion && 'generation' in data && data.generation === generation;
}

/** What an order to give up a rebuild was meant for; earlier versions didn't say. */
function buildMeant({ data }: ProjectionUpkeepEvent): WhichBuild | null {
  if (!('startedAt' in data) || data.generation === undefined) return null;
  return { generation: data.generation, startedAt: new Date(data.startedAt) };
}

/** The events at which rows have stopped, those that are read and those that are being built; null of a stop at none. */
function stopsOf(status: ProjectionStatus): readonly (string | null)[] {
  const stopped = [status, status.building].filter((rows) => rows?.status === 'stopped');
  return stopped.map((rows) => rows?.stoppedEventId ?? null);
}

/** The stops that an order to try again was meant for; earlier versions didn't say. */
function stopsMeant({ data }: ProjectionUpkeepEvent): readonly (string | null)[] {
  return 'stoppedAt' in data ? (data.stoppedAt ?? []) : [];
}

function whose({ name, ownVersion }: ProjectionStatus): { readonly projection: string; readonly version: number } {
  return { projection: name, version: ownVersion };
}
