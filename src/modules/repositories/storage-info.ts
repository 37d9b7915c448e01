import { Injectable } from '@nestjs/common';

import type { RepositoryRow } from '#projections/repository/repository.entity';

import { Capacities, type CapacityReading } from './capacities.js';
import { CompletedBackups } from './completed-backups.js';
import type { StorageInfoResponse } from './repository.response.js';

/** In lists, which are asked for again and again; the answer says when it was read. */
const RECENT_MS = 1000;

type Repository = Pick<RepositoryRow, 'repositoryId' | 'path'>;

/** How much room a repository has; null when its storage is away or doesn't answer in time. */
@Injectable()
export class StorageInfo {
  constructor(
    private readonly capacities: Capacities,
    private readonly completed: CompletedBackups,
  ) {}

  /** Read just now. */
  of(repository: Repository): Promise<StorageInfoResponse | null> {
    return shown(repository, this.capacities.of(repository.path), this.completed.in(repository.repositoryId));
  }

  /** Read a moment ago at most, with what is known of its backups. */
  recent(repository: Repository, completed: Promise<number>): Promise<StorageInfoResponse | null> {
    return shown(repository, this.capacities.of(repository.path, RECENT_MS), completed);
  }
}

async function shown(
  { repositoryId }: Repository,
  reading: CapacityReading,
  completed: Promise<number>,
): Promise<StorageInfoResponse | null> {
  const [capacity, backups] = await Promise.all([reading.capacity, completed]);
  if (capacity === null) return null;
  return {
    repository_id: repositoryId,
    total_bytes: capacity.totalBytes,
    used_bytes: capacity.usedBytes,
    available_bytes: capacity.availableBytes,
    used_percent: capacity.usedPercent,
    backup_count: backups,
    last_check_at: reading.at.toISOString(),
  };
}
