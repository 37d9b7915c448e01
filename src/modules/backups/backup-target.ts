import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

import { NotEnoughSpace, RepositoryDisabled } from '#domain/backup/backup.errors';
import { type PlannedDisk, spaceFor } from '#domain/backup/backup-plan';
import { RepositoryAway, UnknownRepository } from '#domain/repository/repository.errors';
import { LocalRepositoryStorage, RepositoryPathRefused } from '#platform/repositories/local-repository-storage.port';
import { RepositoryRow } from '#projections/repository/repository.entity';

/** Repositories as places that a backup may go to now. */
@Injectable()
export class BackupTarget {
  constructor(
    private readonly rows: DataSource,
    private readonly storage: LocalRepositoryStorage,
  ) {}

  /** Throws UnknownRepository or RepositoryDisabled. */
  async open(repositoryId: string): Promise<RepositoryRow> {
    const repository = await this.rows.getRepository(RepositoryRow).findOneBy({ repositoryId });
    if (repository === null) throw new UnknownRepository(repositoryId);
    if (!repository.enabled) throw new RepositoryDisabled(repositoryId);
    return repository;
  }

  /** Throws RepositoryAway, or NotEnoughSpace before a byte is written. */
  async requireSpace(repository: RepositoryRow, disks: readonly PlannedDisk[]): Promise<void> {
    const neededBytes = spaceFor(disks);
    const availableBytes = await this.availableBytes(repository);
    if (availableBytes < neededBytes) throw new NotEnoughSpace(neededBytes, availableBytes);
  }

  private async availableBytes({ path, repositoryId }: RepositoryRow): Promise<number> {
    try {
      return (await this.storage.preflight(path)).availableBytes;
    } catch (error) {
      if (error instanceof RepositoryPathRefused) throw new RepositoryAway(repositoryId);
      throw error;
    }
  }
}
