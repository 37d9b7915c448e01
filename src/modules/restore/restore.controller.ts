import { Body, Controller, Delete, Get, Headers, Param, Post, Query, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { Endpoint } from '#platform/http/endpoint';
import { tellRevision } from '#platform/http/etag';
import { PageRequest } from '#platform/http/paging';
import { Asking } from '#platform/http/request-context';

import { DownloadDirectory } from './download-directory/download-directory.handler.js';
import { DownloadDirectoryRequest } from './download-directory/download-directory.request.js';
import { DownloadFile } from './download-file/download-file.handler.js';
import { GetFileInfo } from './get-file-info/get-file-info.handler.js';
import { GuestFileRequest, ListFilesRequest } from './guest-file.request.js';
import { GuestFileResponse } from './guest-file.response.js';
import { GuestPath } from './guest-path.js';
import { ListFiles } from './list-files/list-files.handler.js';
import { ListFilesResponse } from './list-files/list-files.response.js';
import { GetMount, ListMounts } from './list-mounts/list-mounts.handler.js';
import { MountBackup } from './mount-backup/mount-backup.handler.js';
import { MountBackupRequest } from './mount-backup/mount-backup.request.js';
import { MountResponse, MountsResponse, UnmountResponse } from './mount.response.js';
import { Unmount } from './unmount/unmount.handler.js';

const READING_REFUSALS = {
  400: 'malformed-request',
  404: 'unknown-mount, unknown-partition, path-not-found',
  409: 'mount-not-open, mount-elsewhere',
  410: 'mount-is-gone',
  422: 'path-refused, partition-unreadable',
  503: 'mount-does-not-answer',
};

@ApiTags('restore')
@Controller('restore')
export class RestoreController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post('mount')
  @Endpoint({
    summary: 'Open one disk of a completed backup for browsing; watch it as the job of the same id',
    access: 'operator',
    answers: {
      status: 200,
      about: 'the mount; status "mounting" while it is being opened',
      type: MountResponse,
      headers: ['Location'],
    },
    refusals: {
      400: 'malformed-request',
      404: 'unknown-backup, unknown-disk',
      409: 'restore-point-not-there, too-many-mounts',
      503: 'not-visible-yet',
    },
    mutates: true,
    reads: ['mount', 'job', 'backup'],
    subject: ['mount'],
    creates: true,
  })
  async mount(
    @Body() body: MountBackupRequest,
    @Asking() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<MountResponse> {
    const mountId = await this.commands.execute(new MountBackup(body, context));
    void reply.header('location', `/api/v1/jobs/${mountId}`);
    const { body: mount, revision } = await this.queries.execute(new GetMount(mountId));
    tellRevision(reply, revision);
    return mount;
  }

  @Get('mounts')
  @Endpoint({
    summary: 'Mounts that are open, being opened or being closed, newest first; count counts all of them',
    access: 'viewer',
    answers: { status: 200, about: 'one page of the mounts', type: MountsResponse },
    reads: ['mount'],
  })
  async mounts(@Query() query: PageRequest): Promise<MountsResponse> {
    return this.queries.execute(new ListMounts(query));
  }

  @Delete(':mount_id')
  @Endpoint({
    summary: 'Close a mount; nothing of it is left',
    access: 'operator',
    answers: { status: 200, about: 'how the mount is now', type: UnmountResponse },
    refusals: { 404: 'unknown-mount', 410: 'mount-is-gone' },
    mutates: true,
    reads: ['mount', 'job'],
    subject: ['mount'],
  })
  async unmount(@Param('mount_id') mountId: string, @Asking() context: CommandContext): Promise<UnmountResponse> {
    const status = await this.commands.execute(new Unmount(mountId, context));
    return { message: `the mount is ${status}`, mount_id: mountId, status };
  }

  @Get(':mount_id/files')
  @Endpoint({
    summary: 'List a folder of the guest',
    access: 'operator',
    answers: { status: 200, about: 'one page of the folder', type: ListFilesResponse },
    refusals: { ...READING_REFUSALS, 422: `${READING_REFUSALS[422]}, folder-too-large` },
    reads: ['mount'],
  })
  async files(
    @Param('mount_id') mountId: string,
    @GuestPath() path: Buffer,
    @Query() query: ListFilesRequest,
  ): Promise<ListFilesResponse> {
    return this.queries.execute(new ListFiles(mountId, path, query));
  }

  @Get(':mount_id/file-info')
  @Endpoint({
    summary: 'One file or folder of the guest; links are shown, never followed',
    access: 'operator',
    answers: { status: 200, about: 'the file', type: GuestFileResponse },
    refusals: READING_REFUSALS,
    reads: ['mount'],
  })
  async fileInfo(
    @Param('mount_id') mountId: string,
    @GuestPath() path: Buffer,
    @Query() query: GuestFileRequest,
  ): Promise<GuestFileResponse> {
    return this.queries.execute(new GetFileInfo(mountId, path, query.partition));
  }

  @Get(':mount_id/download')
  @Endpoint({
    summary: 'Download one file of the guest, or a range of it',
    access: 'operator',
    answers: [
      {
        status: 200,
        about: 'the bytes',
        media: 'application/octet-stream',
        headers: ['Content-Disposition', 'Accept-Ranges'],
      },
      {
        status: 206,
        about: 'the bytes of the range',
        media: 'application/octet-stream',
        headers: ['Content-Disposition', 'Accept-Ranges', 'Content-Range'],
      },
    ],
    refusals: { ...READING_REFUSALS, 416: 'range-not-satisfiable' },
    reads: ['mount'],
  })
  async download(
    @Param('mount_id') mountId: string,
    @GuestPath() path: Buffer,
    @Query() query: GuestFileRequest,
    @Headers('range') range: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const file = await this.queries.execute(new DownloadFile(mountId, path, query.partition, range));
    await reply.status(file.status).headers(file.headers).send(file.stream);
  }

  @Get(':mount_id/download-directory')
  @Endpoint({
    summary: 'Download a folder of the guest as an archive; what can not be stored is named in a file at its end',
    access: 'operator',
    answers: {
      status: 200,
      about: 'the archive, whole or visibly broken off',
      media: ['application/zip', 'application/gzip'],
      headers: ['Content-Disposition'],
    },
    refusals: READING_REFUSALS,
    reads: ['mount'],
  })
  async downloadDirectory(
    @Param('mount_id') mountId: string,
    @GuestPath() path: Buffer,
    @Query() query: DownloadDirectoryRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const archive = await this.queries.execute(new DownloadDirectory(mountId, path, query.partition, query.format));
    await reply.status(200).headers(archive.headers).send(archive.stream);
  }
}
