import { Module } from '@nestjs/common';

import { BackupHold } from './backup-hold.js';
import { BackupPlanner } from './backup-planner.js';
import { BackupTarget } from './backup-target.js';
import { BackupsController } from './backups.controller.js';
import { GetBackupHandler } from './get-backup/get-backup.handler.js';
import { GetChainHandler } from './get-chain/get-chain.handler.js';
import { ListBackupsHandler } from './list-backups/list-backups.handler.js';
import { StartBackupHandler } from './start-backup/start-backup.handler.js';

@Module({
  controllers: [BackupsController],
  providers: [
    StartBackupHandler,
    ListBackupsHandler,
    GetBackupHandler,
    GetChainHandler,
    BackupHold,
    BackupPlanner,
    BackupTarget,
  ],
})
export class BackupsModule {}
