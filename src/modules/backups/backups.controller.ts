import { Body, Controller, Get, Param, Post, Query, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { Endpoint } from '#platform/http/endpoint';
import { tellRevision } from '#platform/http/etag';
import { Asking } from '#platform/http/request-context';

import { BackupResponse, BackupsPageResponse } from './backup.response.js';
import { ChainResponse } from './get-chain/chain.response.js';
import { GetChain } from './get-chain/get-chain.handler.js';
import { GetChainRequest } from './get-chain/get-chain.request.js';
import { GetBackup } from './get-backup/get-backup.handler.js';
import { ListBackups } from './list-backups/list-backups.handler.js';
import { ListBackupsRequest } from './list-backups/list-backups.request.js';
import { StartBackup } from './start-backup/start-backup.handler.js';
import { StartBackupRequest } from './start-backup/start-backup.request.js';

@ApiTags('backups')
@Controller('backup')
export class BackupsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post('start')
  @Endpoint({
    summary: 'Start a backup of a VM; watch it as the job of the same id',
    access: 'operator',
    answers: {
      status: 202,
      about: 'the backup; Location names its job',
      type: BackupResponse,
      headers: ['Location', 'X-Consistency'],
    },
    refusals: {
      400: 'malformed-request',
      404: 'unknown-vm, unknown-repository, unknown-disk, unknown-credential',
      409: 'vm-is-held, ambiguous-vm-name, turn-has-passed',
      422: 'incremental-not-possible, not-enough-space, repository-disabled, vm-has-no-disks, vm-has-no-credential, credential-inactive, vm-disks-changed, vm-not-in-vcenter',
      503: 'repository-away, vma-away, vma-refuses, vma-talks-nonsense, no-agent, restore-points-behind, not-visible-yet',
    },
    mutates: true,
    reads: ['backup', 'job', 'vm_context', 'repository', 'credential'],
    subject: ['backup'],
    creates: true,
  })
  async start(
    @Body() body: StartBackupRequest,
    @Asking() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BackupResponse> {
    const backupId = await this.commands.execute(new StartBackup(body, context));
    void reply.header('location', `/api/v1/jobs/${backupId}`);
    return this.shown(backupId, reply);
  }

  @Get('list')
  @Endpoint({
    summary: 'Backups, newest first; all filters that are given hold',
    access: 'viewer',
    answers: { status: 200, about: 'one page of backups', type: BackupsPageResponse },
    refusals: { 400: 'malformed-request', 404: 'unknown-vm', 409: 'ambiguous-vm-name' },
    reads: ['backup', 'vm_context'],
  })
  async list(@Query() query: ListBackupsRequest): Promise<BackupsPageResponse> {
    return this.queries.execute(new ListBackups(query));
  }

  @Get('chain')
  @Endpoint({
    summary: 'The newest chain of a disk with all its layers, or the one of chain_id',
    access: 'viewer',
    answers: { status: 200, about: 'the chain, and which other chains there are', type: ChainResponse },
    refusals: { 400: 'malformed-request', 404: 'unknown-vm, unknown-chain', 409: 'ambiguous-vm-name' },
    reads: ['backup', 'vm_context'],
  })
  async chain(@Query() query: GetChainRequest): Promise<ChainResponse> {
    return this.queries.execute(new GetChain(query));
  }

  @Get(':backup_id')
  @Endpoint({
    summary: 'One backup with its disks',
    access: 'viewer',
    answers: { status: 200, about: 'the backup', type: BackupResponse },
    refusals: { 404: 'unknown-backup' },
    reads: ['backup'],
    subject: ['backup'],
  })
  async get(
    @Param('backup_id') backupId: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<BackupResponse> {
    return this.shown(backupId, reply);
  }

  private async shown(backupId: string, reply: FastifyReply): Promise<BackupResponse> {
    const { body, revision } = await this.queries.execute(new GetBackup(backupId));
    tellRevision(reply, revision);
    return body;
  }
}
