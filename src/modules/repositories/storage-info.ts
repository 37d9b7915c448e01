import { setTimeout as pause } from 'node:timers/promises';

import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

import { Clock } from '#platform/clock/clock.port';
import { type Capacity, LocalRepositoryStorage } from '#platform/repositories/local-repository-storage.port';
import type { RepositoryRow } from '#projections/repository/repository.entity';

import type { StorageInfoResponse } from './repository.response.js';

/** A disk that answers no sooner is not waited for. */
const ANSWER_WITHIN_MS = 5000;

/** Reads how much room a repository has, fresh each time. */
@Injectable()
export class StorageInfo {
  constructor(
    private readonly storage: LocalRepositoryStorage,
    private readonly clock: Clock,
    private readonly rows: DataSource,
  ) {}

  /** null when the storage is away or doesn't answer in time. */
  async of(repository: RepositoryRow): Promise<StorageInfoResponse | null> {
    const [capacity, backups] = await Promise.all([this.capacity(repository.path), this.backupsIn(repository)]);
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

  private async capacity(path: string): Promise<Capacity | null> {
    const late = new AbortController();
    const deadline = pause(ANSWER_WITHIN_MS, null, { signal: late.signal, ref: false }).catch(() => null);
    const answer = this.storage.capacity(path).catch(() => null);
    return Promise.race([answer, deadline]).finally(() => {
      late.abort();
    });
  }

  private async backupsIn({ repositoryId }: RepositoryRow): Promise<number> {
    const [row] = await this.rows.query<{ backups: number }[]>(
      `select count(*)::integer as backups from backup where repository_id = $1 and status = 'completed'`,
      [repositoryId],
    );
    return row?.backups ?? 0;
  }
}
