import { Body, Controller, Get, Param, Post, Query, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { tellConsistency } from '#platform/http/consistency';
import { Endpoint } from '#platform/http/endpoint';
import { tellRevision } from '#platform/http/etag';
import { PageRequest } from '#platform/http/paging';
import { Asking } from '#platform/http/request-context';

import { AddVms } from './add-vms/add-vms.handler.js';
import { AddVmsRequest } from './add-vms/add-vms.request.js';
import { DiscoverVms } from './discover-vms/discover-vms.handler.js';
import { DiscoverVmsRequest } from './discover-vms/discover-vms.request.js';
import type { AddVmsResponse, DiscoverVmsResponse } from './discovery.response.js';
import { GetVmContext } from './get-vm-context/get-vm-context.handler.js';
import { ListVmContexts } from './list-vm-contexts/list-vm-contexts.handler.js';
import type { VmContextResponse, VmDetailsResponse } from './vm-context.response.js';

const AGENT_REFUSALS = { 503: 'vma-away, vma-refuses, vma-talks-nonsense' };

@ApiTags('inventory')
@Controller()
export class InventoryController {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Post('discovery/discover-vms')
  @Endpoint({
    summary: 'Ask a vCenter, through the agent, which VMs it has; add them if wanted',
    access: 'operator',
    answers: { status: 200, about: 'discovered_vms, addition_result, discovery_count, status' },
    refusals: { 400: 'malformed-request', 404: 'unknown-credential', 422: 'credential-inactive', ...AGENT_REFUSALS },
    mutates: true,
    reads: ['vm_context', 'credential'],
  })
  async discover(
    @Body() body: DiscoverVmsRequest,
    @Asking() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DiscoverVmsResponse> {
    const answer = await this.commands.execute(new DiscoverVms(body, context));
    tellConsistency(reply, answer.pending);
    return answer.body;
  }

  @Post('discovery/add-vms')
  @Endpoint({
    summary: "Put VMs under OMA's care",
    access: 'operator',
    answers: { status: 200, about: 'processed_vms with the context_id of each, or why not' },
    refusals: { 400: 'malformed-request', 404: 'unknown-credential', 422: 'credential-inactive', ...AGENT_REFUSALS },
    mutates: true,
    reads: ['vm_context', 'credential'],
  })
  async add(
    @Body() body: AddVmsRequest,
    @Asking() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AddVmsResponse> {
    const answer = await this.commands.execute(new AddVms(body, context));
    tellConsistency(reply, answer.pending);
    return answer.body;
  }

  @Get('vm-contexts')
  @Endpoint({
    summary: "VMs under OMA's care, by name; count counts all of them",
    access: 'viewer',
    answers: { status: 200, about: 'vm_contexts, count, next_cursor' },
    refusals: { 400: 'malformed-request' },
    reads: ['vm_context'],
  })
  async list(
    @Query() query: PageRequest,
  ): Promise<{ vm_contexts: readonly VmContextResponse[]; count: number; next_cursor: string | null }> {
    return this.queries.execute(new ListVmContexts(query));
  }

  @Get('vm-contexts/by-id/:context_id')
  @Endpoint({
    summary: 'One VM by its context id',
    access: 'viewer',
    answers: { status: 200, about: 'context, disks, job_history, cbt_history' },
    refusals: { 404: 'unknown-vm' },
    reads: ['vm_context'],
    subject: ['context'],
  })
  async getById(
    @Param('context_id') contextId: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<VmDetailsResponse> {
    return this.shown(new GetVmContext(contextId, 'context-id'), reply);
  }

  @Get('vm-contexts/:vm_name')
  @Endpoint({
    summary: 'One VM by name, VMware id or context id',
    access: 'viewer',
    answers: { status: 200, about: 'context, disks, job_history, cbt_history' },
    refusals: { 404: 'unknown-vm', 409: 'ambiguous-vm-name' },
    reads: ['vm_context'],
    subject: ['context'],
  })
  async get(
    @Param('vm_name') ref: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<VmDetailsResponse> {
    return this.shown(new GetVmContext(ref, 'any'), reply);
  }

  /** All of it is told by the VM's own stream. */
  private async shown(query: GetVmContext, reply: FastifyReply): Promise<VmDetailsResponse> {
    const { body, revision } = await this.queries.execute(query);
    tellRevision(reply, revision, { whole: true });
    return body;
  }
}
