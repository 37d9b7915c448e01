import { Module } from '@nestjs/common';

import { DownloadDirectoryHandler } from './download-directory/download-directory.handler.js';
import { DownloadFileHandler } from './download-file/download-file.handler.js';
import { GetFileInfoHandler } from './get-file-info/get-file-info.handler.js';
import { ListFilesHandler } from './list-files/list-files.handler.js';
import { GetMountHandler, ListMountsHandler, ShownMounts } from './list-mounts/list-mounts.handler.js';
import { MountBackupHandler } from './mount-backup/mount-backup.handler.js';
import { OpenPartition } from './open-partition.js';
import { RestoreController } from './restore.controller.js';
import { UnmountHandler } from './unmount/unmount.handler.js';

@Module({
  controllers: [RestoreController],
  providers: [
    MountBackupHandler,
    UnmountHandler,
    ListMountsHandler,
    GetMountHandler,
    ListFilesHandler,
    GetFileInfoHandler,
    DownloadFileHandler,
    DownloadDirectoryHandler,
    OpenPartition,
    ShownMounts,
  ],
})
export class RestoreModule {}
