import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';

import type { FoundVm } from '#platform/vma/vma-client.port';
import { VmContextRow } from '#projections/inventory/vm-context.entity';

import type { Discovered } from './discovery.js';

/** Tells which discovered VMs are under OMA's care. */
@Injectable()
export class KnownVms {
  constructor(private readonly rows: DataSource) {}

  /** A function from a discovered VM to the id of its context, where it has one. */
  async among(found: Discovered): Promise<(vm: FoundVm) => string | undefined> {
    const host = found.vcenterHost.toLowerCase();
    const rows = await this.rows
      .getRepository(VmContextRow)
      .find({ where: { vmPath: In(found.vms.map((vm) => vm.path)) } });
    const ids = new Map(
      rows
        .filter((row) => row.vcenterHost.toLowerCase() === host)
        .map((row) => [key(row.vmwareVmId, row.vmPath), row.contextId]),
    );
    return (vm) => ids.get(key(vm.id, vm.path));
  }
}

function key(vmwareVmId: string, path: string): string {
  return `${vmwareVmId.toLowerCase()} ${path}`;
}
