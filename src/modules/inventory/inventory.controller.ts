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
import { AddVmsResponse, DiscoverVmsResponse } from './discovery.response.js';
import { GetVmContext } from './get-vm-context/get-vm-context.handler.js';
import { ListVmContexts } from './list-vm-contexts/list-vm-contexts.handler.js';
import { VmContextsResponse, VmDetailsResponse } from './vm-context.response.js';

/** All of a VM is told by its own stream, so an equal tag means an equal answer. */
const VM_OR_UNCHANGED = [
  { status: 200, about: 'the VM and its disks', type: VmDetailsResponse },
  { status: 304, about: 'it is as If-None-Match says' },
] as const;
const AGENT_REFUSALS = { 503: 'vma-away, vma-refuses, vma-talks-nonsense, no-agent' };

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
    answers: {
      status: 200,
      about: 'what the vCenter has, and what was added',
      type: DiscoverVmsResponse,
      headers: ['X-Consistency'],
    },
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
    answers: {
      status: 200,
      about: 'the context_id of each, or why not',
      type: AddVmsResponse,
      headers: ['X-Consistency'],
    },
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
    answers: { status: 200, about: 'one page of the VMs', type: VmContextsResponse },
    reads: ['vm_context'],
  })
  async list(@Query() query: PageRequest): Promise<VmContextsResponse> {
    return this.queries.execute(new ListVmContexts(query));
  }

  @Get('vm-contexts/by-id/:context_id')
  @Endpoint({
    summary: 'One VM by its context id',
    access: 'viewer',
    answers: VM_OR_UNCHANGED,
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
    answers: VM_OR_UNCHANGED,
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

  private async shown(query: GetVmContext, reply: FastifyReply): Promise<VmDetailsResponse> {
    const { body, revision } = await this.queries.execute(query);
    tellRevision(reply, revision, { whole: true });
    return body;
  }
}
