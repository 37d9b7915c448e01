import { Controller, Param, Post, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { Endpoint } from '#platform/http/endpoint';
import { Asking } from '#platform/http/request-context';

import { StartVerification } from './start-verification/start-verification.handler.js';
import { VerificationStartedResponse } from './start-verification/start-verification.response.js';

@ApiTags('backups')
@Controller('backup')
export class VerificationsController {
  constructor(private readonly commands: CommandBus) {}

  @Post(':backup_id/verify')
  @Endpoint({
    summary: 'Read a restore point and everything it stands on again, and compare it with the content manifests',
    access: 'operator',
    answers: {
      status: 202,
      about: 'what was begun; Location names the job',
      type: VerificationStartedResponse,
      headers: ['Location', 'X-Consistency'],
    },
    refusals: { 404: 'unknown-backup', 409: 'restore-point-not-there', 422: 'nothing-to-verify' },
    mutates: true,
    reads: ['job', 'backup'],
    subject: ['verification'],
    creates: true,
  })
  async verify(
    @Param('backup_id') backupId: string,
    @Asking() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<VerificationStartedResponse> {
    const jobId = await this.commands.execute(new StartVerification(backupId, context));
    void reply.header('location', `/api/v1/jobs/${jobId}`);
    return { job_id: jobId, backup_id: backupId };
  }
}
