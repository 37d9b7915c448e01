import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

import { RepositoryAway, UnknownRepository } from '#domain/repository/repository.errors';
import { RepositoryRow } from '#projections/repository/repository.entity';

import type { StorageInfoResponse } from '../repository.response.js';
import { StorageInfo } from '../storage-info.js';

export class GetStorage extends Query<StorageInfoResponse> {
  constructor(readonly repositoryId: string) {
    super();
  }
}

@QueryHandler(GetStorage)
export class GetStorageHandler implements IQueryHandler<GetStorage> {
  constructor(
    private readonly rows: DataSource,
    private readonly storageInfo: StorageInfo,
  ) {}

  async execute({ repositoryId }: GetStorage): Promise<StorageInfoResponse> {
    const row = await this.rows.getRepository(RepositoryRow).findOneBy({ repositoryId });
    if (row === null) throw new UnknownRepository(repositoryId);
    const info = await this.storageInfo.of(row);
    if (info === null) throw new RepositoryAway(repositoryId);
    return info;
  }
}
