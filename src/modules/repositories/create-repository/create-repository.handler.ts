import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import type { CommandContext } from '#domain/kernel/command-context';
import { repository, type RepositoryCommand, type RepositoryFacts } from '#domain/repository/repository';
import {
  ImmutabilityNotOffered,
  RepositoryPathUnusable,
  RepositoryTypeNotOffered,
} from '#domain/repository/repository.errors';
import {
  repositoryPlace,
  type RepositoryPlaceCommand,
  type RepositoryPlaceReserved,
} from '#domain/repository/repository-place';
import { Clock } from '#platform/clock/clock.port';
import { until } from '#platform/clock/until';
import { Aggregates, type Decided } from '#platform/event-store/aggregates';
import { newId } from '#platform/ids/ids';
import { LocalRepositoryStorage, RepositoryPathRefused } from '#platform/repositories/local-repository-storage.port';
import { createReserved } from '#platform/sagas/create-reserved';
import { RepositoryRow } from '#projections/repository/repository.entity';

import { type RepositoryResponse, repositoryResponse } from '../repository.response.js';
import { StorageInfo } from '../storage-info.js';
import type { CreateRepositoryRequest } from './create-repository.request.js';

const VISIBLE_WITHIN_MS = 1500;
const PLACES = 'repositoryplaces-all';

type Reservations = Decided<RepositoryPlaceReserved>['events'];
type Created = { readonly repository: RepositoryResponse; readonly pending: boolean };

export class CreateRepository extends Command<Created> {
  constructor(
    readonly request: CreateRepositoryRequest,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(CreateRepository)
export class CreateRepositoryHandler implements ICommandHandler<CreateRepository> {
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly aggregates: Aggregates,
    private readonly storage: LocalRepositoryStorage,
    private readonly storageInfo: StorageInfo,
    private readonly clock: Clock,
    private readonly rows: DataSource,
  ) {}

  async execute({ request, context }: CreateRepository): Promise<Created> {
    const asked = factsOf(request);
    const events = await this.inTurn(() => this.reserve(asked, context));
    const isTold = await createReserved(this.aggregates, repository, events, asked.repositoryId, context);
    const facts = repositoryIn(events) ?? asked;
    const { repositoryId } = facts;
    const row = await until(
      () => this.rows.getRepository(RepositoryRow).findOneBy({ repositoryId }),
      VISIBLE_WITHIN_MS,
    );
    const now = this.clock.now();
    const { bandwidthBytesPerSecond = null } = facts;
    const shown = row ?? { ...facts, bandwidthBytesPerSecond, createdAt: now, updatedAt: now };
    return {
      repository: repositoryResponse(shown, await this.storageInfo.of(shown)),
      pending: row === null || !isTold,
    };
  }

  /**
   * Asked before the disk is touched, so that what is refused leaves no directory behind; and decided with the real path
   * afterwards, since a link may lead into another repository.
   */
  private async reserve(facts: RepositoryFacts, context: CommandContext): Promise<Reservations> {
    // The same command sent again finds the repository of the first time, as another copy of it does that was slower.
    const earlier = await this.aggregates.earlier<RepositoryPlaceReserved>(PLACES, context);
    if (earlier !== null) return earlier.events;
    repositoryPlace.decide(reservationOf(facts), await this.aggregates.load(repositoryPlace, PLACES));
    const command = reservationOf({ ...facts, path: await this.prepare(facts.path) });
    return (await this.aggregates.handle({ decider: repositoryPlace, stream: PLACES, command, context })).events;
  }

  private async prepare(path: string): Promise<string> {
    try {
      return await this.storage.prepare(path);
    } catch (error) {
      if (error instanceof RepositoryPathRefused) throw new RepositoryPathUnusable(error.fault, error.message);
      throw error;
    }
  }

  /** One at a time: of many who want one name all but the first are refused before they touch the disk. */
  private inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => undefined);
    return mine;
  }
}

/** Throws the refusals of what can't be asked for yet. */
function factsOf(request: CreateRepositoryRequest): RepositoryFacts {
  const { name, type, enabled } = request;
  if (type !== 'local') throw new RepositoryTypeNotOffered(type);
  if (request.is_immutable) throw new ImmutabilityNotOffered();
  return {
    repositoryId: newId(),
    name,
    type,
    path: request.config.path,
    enabled,
    isImmutable: false,
    minRetentionDays: request.min_retention_days,
    bandwidthBytesPerSecond: request.bandwidth_limit_bytes_per_second ?? null,
  };
}

/** The repository for which a place was reserved. */
function repositoryIn([event]: readonly RepositoryPlaceReserved[]): RepositoryFacts | null {
  return event === undefined ? null : (event.data.creates.command as unknown as RepositoryCommand).repository;
}

function reservationOf(repository: RepositoryFacts): RepositoryPlaceCommand {
  const { repositoryId: by, name, path } = repository;
  const command: RepositoryCommand = { type: 'CreateRepository', repository };
  return { type: 'ReservePlace', by, label: name, creates: { category: 'repository', command }, name, path };
}
