import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

import type { CommandContext } from '#domain/kernel/command-context';
import { Clock } from '#platform/clock/clock.port';

import { accountOf } from '../account.request.js';
import { Discovery } from '../discovery.js';
import { type AddVmsResponse, addVmsResponse } from '../discovery.response.js';
import { VmAdder } from '../vm-adder.js';
import type { AddVmsRequest } from './add-vms.request.js';

type Answer = { readonly body: AddVmsResponse; readonly pending: boolean };

export class AddVms extends Command<Answer> {
  constructor(
    readonly request: AddVmsRequest,
    readonly context: CommandContext,
  ) {
    super();
  }
}

@CommandHandler(AddVms)
export class AddVmsHandler implements ICommandHandler<AddVms> {
  constructor(
    private readonly discovery: Discovery,
    private readonly adder: VmAdder,
    private readonly clock: Clock,
  ) {}

  async execute({ request, context }: AddVms): Promise<Answer> {
    const found = await this.discovery.run(accountOf(request), null);
    const { outcomes, pending } = await this.adder.add(request.vm_names, found, context);
    return { body: addVmsResponse(outcomes, this.clock.now()), pending };
  }
}
