import { Module } from '@nestjs/common';

import { AddVmsHandler } from './add-vms/add-vms.handler.js';
import { DiscoverVmsHandler } from './discover-vms/discover-vms.handler.js';
import { Discovery } from './discovery.js';
import { GetVmContextHandler } from './get-vm-context/get-vm-context.handler.js';
import { InventoryController } from './inventory.controller.js';
import { KnownVms } from './known-vms.js';
import { ListVmContextsHandler } from './list-vm-contexts/list-vm-contexts.handler.js';
import { VmAdder } from './vm-adder.js';

@Module({
  controllers: [InventoryController],
  providers: [
    DiscoverVmsHandler,
    AddVmsHandler,
    ListVmContextsHandler,
    GetVmContextHandler,
    Discovery,
    KnownVms,
    VmAdder,
  ],
})
export class InventoryModule {}
