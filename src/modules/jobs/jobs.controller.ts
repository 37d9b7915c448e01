import { Controller, Get, Param, Post, Query, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { Endpoint } from '#platform/http/endpoint';
import { tellRevision } from '#platform/http/etag';
import { goneOf } from '#platform/http/gone';
import { Asking } from '#platform/http/request-context';

import { CancelJob } from './cancel-job/cancel-job.handler.js';
import { GetJob } from './get-job/get-job.handler.js';
import { GetJobRequest } from './get-job/get-job.request.js';
import { JobDetailsResponse, JobsPageResponse } from './job.response.js';
import { ListJobs } from './list-jobs/list-jobs.handler.js';
import { ListJobsRequest } from './list-jobs/list-jobs.request.js';

const MS_PER_SECOND = 1000;
/** The streams that decide over jobs, one category for each kind. */
const STREAMS = ['backup', 'mount', 'verification'];

@ApiTags('jobs')
@Controller('jobs')
export class JobsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Get()
  @Endpoint({
    summary: 'Jobs of every kind, newest first',
    access: 'viewer',
    answers: { status: 200, about: 'one page of jobs', type: JobsPageResponse },
    refusals: { 400: 'malformed-request' },
    reads: ['job'],
  })
  async list(@Query() query: ListJobsRequest): Promise<JobsPageResponse> {
    return this.queries.execute(new ListJobs(query));
  }

  @Get(':job_id')
  @Endpoint({
    summary: 'One job with its planned and done steps',
    access: 'viewer',
    answers: { status: 200, about: 'the job and its steps', type: JobDetailsResponse },
    refusals: { 404: 'unknown-job' },
    reads: ['job'],
    subject: STREAMS,
  })
  async get(
    @Param('job_id') jobId: string,
    @Query() { wait = 0 }: GetJobRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JobDetailsResponse> {
    const waiting = wait === 0 ? null : { forMs: wait * MS_PER_SECOND, gone: goneOf(reply) };
    return this.shown(new GetJob(jobId, waiting), reply);
  }

  @Post(':job_id/cancel')
  @Endpoint({
    summary: 'Cancel a job; everything it had begun is undone',
    access: 'operator',
    answers: { status: 202, about: 'the job, whose cancel_requested is true', type: JobDetailsResponse },
    refusals: { 404: 'unknown-job', 409: 'job-is-over', 410: 'mount-is-gone' },
    mutates: true,
    reads: ['job'],
    subject: STREAMS,
  })
  async cancel(
    @Param('job_id') jobId: string,
    @Asking() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JobDetailsResponse> {
    await this.commands.execute(new CancelJob(jobId, context));
    return this.shown(new GetJob(jobId), reply);
  }

  private async shown(query: GetJob, reply: FastifyReply): Promise<JobDetailsResponse> {
    const { body, revision } = await this.queries.execute(query);
    tellRevision(reply, revision);
    return body;
  }
}
