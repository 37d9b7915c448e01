import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

import type { CommandContext } from '#domain/kernel/command-context';

import { accountOf } from '../account.request.js';
import { Discovery } from '../discovery.js';
import { bulkAddResponse, discoveredVmResponse, type DiscoverVmsResponse, nanoseconds } from '../discovery.response.js';
import { KnownVms } from '../known-vms.js';
import { VmAdder } from '../vm-adder.js';
import type { DiscoverVmsRequest } from './discover-vms.request.js';

type Answer = { readonly body: DiscoverVmsResponse; readonly pending: boolean };

export class DiscoverVms extends Command<Answer> {
  constructor(
    readonly request: DiscoverVmsRequest,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(DiscoverVms)
export class DiscoverVmsHandler implements ICommandHandler<DiscoverVms> {
  constructor(
    private readonly discovery: Discovery,
    private readonly adder: VmAdder,
    private readonly known: KnownVms,
  ) {}

  async execute({ request, context }: DiscoverVms): Promise<Answer> {
    const began = performance.now();
    const found = await this.discovery.run(accountOf(request), request.filter ?? null);
    const discovered = performance.now();
    const contextIdOf = await this.known.among(found);
    const addition = request.create_context ? await this.adder.add(selected(request), found, context) : null;
    const ended = performance.now();
    const failed = addition?.outcomes.some((outcome) => outcome.is !== 'added') ?? false;
    const durations = { discoveryMs: discovered - began, processingMs: ended - discovered };
    const body: DiscoverVmsResponse = {
      discovered_vms: found.vms.map((vm) => discoveredVmResponse(vm, contextIdOf(vm))),
      ...(addition !== null && { addition_result: bulkAddResponse(addition.outcomes, durations) }),
      discovery_count: found.vms.length,
      processing_time: nanoseconds(ended - began),
      status: failed ? 'partial_success' : 'success',
      message: `vCenter has ${found.vms.length} matching VMs`,
    };
    return { body, pending: addition?.pending ?? false };
  }
}

/** No selection, or an empty one, means all of them. */
function selected({ selected_vms: refs = [] }: DiscoverVmsRequest): readonly string[] | null {
  return refs.length === 0 ? null : refs;
}
