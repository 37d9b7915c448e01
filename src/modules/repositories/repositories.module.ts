import { Module } from '@nestjs/common';

import { Capacities } from './capacities.js';
import { CompletedBackups } from './completed-backups.js';
import { CreateRepositoryHandler } from './create-repository/create-repository.handler.js';
import { GetStorageHandler } from './get-storage/get-storage.handler.js';
import { ListRepositoriesHandler } from './list-repositories/list-repositories.handler.js';
import { RepositoriesController } from './repositories.controller.js';
import { StorageInfo } from './storage-info.js';

@Module({
  controllers: [RepositoriesController],
  providers: [
    CreateRepositoryHandler,
    ListRepositoriesHandler,
    GetStorageHandler,
    StorageInfo,
    Capacities,
    CompletedBackups,
  ],
})
export class RepositoriesModule {}
