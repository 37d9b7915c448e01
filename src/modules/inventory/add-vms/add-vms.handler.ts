import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

import type { CommandContext } from '#domain/kernel/command-context';
import { Clock } from '#platform/clock/clock.port';

import { type Account, Discovery } from '../discovery.js';
import { type AddVmsResponse, addVmsResponse } from '../discovery.response.js';
import { VmAdder } from '../vm-adder.js';

type Answer = { readonly body: AddVmsResponse; readonly pending: boolean };

export class AddVms extends Command<Answer> {
  constructor(
    readonly account: Account,
    /** Inventory paths, VMware ids or names. */
    readonly refs: readonly string[],
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

  async execute({ account, refs, context }: AddVms): Promise<Answer> {
    const found = await this.discovery.run(account, null);
    const { outcomes, pending } = await this.adder.add(refs, found, context);
    return { body: addVmsResponse(outcomes, this.clock.now()), pending };
  }
}
