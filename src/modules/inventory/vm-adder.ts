import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';

import { osTypeOf } from '#domain/inventory/os-type';
import { type Selection, selectVms } from '#domain/inventory/select-vms';
import { vmContext, type VmContextCommand } from '#domain/inventory/vm-context';
import type { CommandContext } from '#domain/kernel/command-context';
import { AlreadyReserved, reservation } from '#domain/kernel/reservation';
import { until } from '#platform/clock/until';
import { Aggregates } from '#platform/event-store/aggregates';
import { idFor, newId } from '#platform/ids/ids';
import { ProjectionProgress } from '#platform/projections/projection-progress.port';
import { createReserved } from '#platform/sagas/create-reserved';
import type { FoundVm } from '#platform/vma/vma-client.port';
import { VmContextRow } from '#projections/inventory/vm-context.entity';

import type { Discovered } from './discovery.js';

/** So many VMs are added side by side; the store takes them together. */
const AT_ONCE = 16;
const VISIBLE_WITHIN_MS = 1500;

export interface AddedVm {
  readonly is: 'added';
  readonly ref: string;
  readonly vm: FoundVm;
  readonly contextId: string;
  /** False when the VM was under OMA's care already. */
  readonly isNew: boolean;
}

export type AddOutcome = AddedVm | Exclude<Selection<FoundVm>, { readonly is: 'found' }>;

export interface Addition {
  /** One for each reference, in their order. */
  readonly outcomes: readonly AddOutcome[];
  /** True when some of them can't be read back yet. */
  readonly pending: boolean;
}

/** Puts VMs under OMA's care, each at most once. */
@Injectable()
export class VmAdder {
  constructor(
    private readonly aggregates: Aggregates,
    private readonly rows: DataSource,
    private readonly progress: ProjectionProgress,
  ) {}

  /** `refs` are inventory paths, VMware ids or names; null means all that were discovered. */
  async add(refs: readonly string[] | null, found: Discovered, context: CommandContext): Promise<Addition> {
    const selections =
      refs === null
        ? found.vms.map((vm): Selection<FoundVm> => ({ ref: vm.path, is: 'found', vm }))
        : selectVms(refs, found.vms);
    const outcomes: AddOutcome[] = [];
    const creating: Promise<boolean>[] = [];
    for (let start = 0; start < selections.length; start += AT_ONCE) {
      const some = selections.slice(start, start + AT_ONCE);
      outcomes.push(
        ...(await Promise.all(
          some.map(async (selection, index) =>
            selection.is === 'found' ? this.addOne(selection, found, context, start + index, creating) : selection,
          ),
        )),
      );
    }
    const ids = outcomes.flatMap((outcome) => (outcome.is === 'added' ? [outcome.contextId] : []));
    const areTold = (await Promise.all(creating)).every(Boolean);
    return { outcomes, pending: !(await this.visible([...new Set(ids)])) || !areTold };
  }

  private async visible(contextIds: readonly string[]): Promise<boolean> {
    const rows = this.rows.getRepository(VmContextRow);
    const all = async () => (await rows.countBy({ contextId: In(contextIds) })) === contextIds.length || null;
    return (await until(all, VISIBLE_WITHIN_MS)) !== null;
  }

  private async addOne(
    { ref, vm }: { readonly ref: string; readonly vm: FoundVm },
    found: Discovered,
    request: CommandContext,
    index: number,
    creating: Promise<boolean>[],
  ): Promise<AddedVm> {
    const by = `ctx-${newId()}`;
    const command: VmContextCommand = { type: 'AddVmContext', vm: factsOf(vm, found, by) };
    try {
      const { events } = await this.aggregates.handle({
        decider: reservation,
        stream: `vmidentity-${identityOf(found.vcenterHost, vm)}`,
        command: {
          type: 'Reserve',
          by,
          label: `VM "${vm.name}"`,
          creates: { category: 'context', command },
        },
        context: { ...request, commandId: idFor('add vm', request.commandId, String(index)) },
      });
      creating.push(createReserved(this.aggregates, vmContext, events, by, request));
      return { is: 'added', ref, vm, contextId: events[0]?.data.by ?? by, isNew: true };
    } catch (error) {
      if (!(error instanceof AlreadyReserved)) throw error;
      await this.seeAgain(factsOf(vm, found, error.by), request, index);
      return { is: 'added', ref, vm, contextId: error.by, isNew: false };
    }
  }

  /** What it is made of may have changed since. */
  private async seeAgain(vm: VmContextCommand['vm'], request: CommandContext, index: number): Promise<void> {
    const { events, position } = await this.aggregates.handle({
      decider: vmContext,
      stream: `context-${vm.contextId}`,
      command: { type: 'AddVmContext', vm },
      context: { ...request, commandId: idFor('see vm again', request.commandId, String(index)) },
    });
    if (events.length > 0) await this.progress.waitFor(['vm_context'], position, VISIBLE_WITHIN_MS);
  }
}

/** A VM is the one that vCenter showed first with this id at this path: clones share the id. */
function identityOf(vcenterHost: string, vm: FoundVm): string {
  return idFor('vm', vcenterHost.toLowerCase(), vm.id.toLowerCase(), vm.path);
}

function factsOf(vm: FoundVm, found: Discovered, contextId: string): VmContextCommand['vm'] {
  return {
    contextId,
    vmName: vm.name,
    vmwareVmId: vm.id,
    vmPath: vm.path,
    vcenterHost: found.vcenterHost,
    datacenter: found.datacenter,
    cpuCount: vm.cpuCount,
    memoryMb: vm.memoryMb,
    osType: osTypeOf(vm.guestOs),
    powerState: vm.powerState,
    credentialId: found.credentialId,
    disks: vm.disks,
    networks: vm.networks,
  };
}
