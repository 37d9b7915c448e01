import { Body, Controller, Get, Param, Post, Res } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';

import type { CommandContext } from '#domain/kernel/command-context';
import { tellConsistency } from '#platform/http/consistency';
import { Endpoint } from '#platform/http/endpoint';
import { Asking } from '#platform/http/request-context';

import { AddVms } from './add-vms/add-vms.handler.js';
import { AddVmsRequest } from './add-vms/add-vms.request.js';
import { DiscoverVms } from './discover-vms/discover-vms.handler.js';
import { DiscoverVmsRequest } from './discover-vms/discover-vms.request.js';
import { AddVmsResponse, DiscoverVmsResponse } from './discovery.response.js';
import { GetVmContext } from './get-vm-context/get-vm-context.handler.js';
import { ListVmContexts } from './list-vm-contexts/list-vm-contexts.handler.js';
import { vmContextResponse, VmContextsResponse, VmDetailsResponse } from './vm-context.response.js';

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
    summary: "All VMs under OMA's care, by name",
    access: 'viewer',
    answers: { status: 200, about: 'the VMs', type: VmContextsResponse },
  })
  async list(): Promise<VmContextsResponse> {
    const rows = await this.queries.execute(new ListVmContexts());
    return { vm_contexts: rows.map(vmContextResponse), count: rows.length };
  }

  @Get('vm-contexts/by-id/:context_id')
  @Endpoint({
    summary: 'One VM by its context id',
    access: 'viewer',
    answers: { status: 200, about: 'the VM and its disks', type: VmDetailsResponse },
    refusals: { 404: 'unknown-vm' },
  })
  async getById(@Param('context_id') contextId: string): Promise<VmDetailsResponse> {
    return this.queries.execute(new GetVmContext(contextId, 'context-id'));
  }

  @Get('vm-contexts/:vm_name')
  @Endpoint({
    summary: 'One VM by name, VMware id or context id',
    access: 'viewer',
    answers: { status: 200, about: 'the VM and its disks', type: VmDetailsResponse },
    refusals: { 404: 'unknown-vm', 409: 'ambiguous-vm-name' },
  })
  async get(@Param('vm_name') ref: string): Promise<VmDetailsResponse> {
    return this.queries.execute(new GetVmContext(ref, 'any'));
  }
}
