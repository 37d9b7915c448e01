import { Injectable } from '@nestjs/common';

import { Clock } from '#platform/clock/clock.port';
import { within } from '#platform/clock/within';
import { type Capacity, LocalRepositoryStorage } from '#platform/repositories/local-repository-storage.port';
import type { RepositoryRow } from '#projections/repository/repository.entity';

import { CompletedBackups } from './completed-backups.js';
import type { StorageInfoResponse } from './repository.response.js';

/** A disk that answers no sooner is not waited for. */
const ANSWER_WITHIN_MS = 5000;

/** Reads how much room a repository has, fresh each time. */
@Injectable()
export class StorageInfo {
  constructor(
    private readonly storage: LocalRepositoryStorage,
    private readonly clock: Clock,
    private readonly completed: CompletedBackups,
  ) {}

  /** null when the storage is away or doesn't answer in time. */
  async of(
    repository: Pick<RepositoryRow, 'repositoryId' | 'path'>,
    completed: Promise<number> = this.completed.in(repository.repositoryId),
  ): Promise<StorageInfoResponse | null> {
    const [capacity, backups] = await Promise.all([this.capacity(repository.path), completed]);
    if (capacity === null) return null;
    return {
      repository_id: repository.repositoryId,
      total_bytes: capacity.totalBytes,
      used_bytes: capacity.usedBytes,
      available_bytes: capacity.availableBytes,
      used_percent: capacity.usedPercent,
      backup_count: backups,
      last_check_at: this.clock.now().toISOString(),
    };
  }

  private capacity(path: string): Promise<Capacity | null> {
    return within(ANSWER_WITHIN_MS, undefined, () => this.storage.capacity(path)).catch(() => null);
  }
}
