import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { UnknownChain } from '#domain/backup/backup.errors';
import { Views } from '#platform/database/views';
import { MalformedRequest } from '#platform/http/edge.errors';
import { Chains, type Link } from '#projections/backup/chain.directory';
import { VmDirectory } from '#projections/inventory/vm.directory';

import { chainId, type ChainResponse, chainResponse } from './chain.response.js';
import type { GetChainRequest } from './get-chain.request.js';

/** The chain that holds the newest restore point, unless another one is named. */
export class GetChain extends Query<ChainResponse> {
  constructor(readonly request: GetChainRequest) {
    super();
  }
}

@QueryHandler(GetChain)
export class GetChainHandler implements IQueryHandler<GetChain> {
  private readonly directory: VmDirectory;
  private readonly chains: Chains;

  constructor(views: Views) {
    this.directory = new VmDirectory(views);
    this.chains = new Chains(views);
  }

  async execute({ request }: GetChain): Promise<ChainResponse> {
    const { repository_id: repositoryId, disk_id: diskId, chain_id: wanted } = request;
    const contextId = request.vm_context_id ?? (await this.named(request.vm_name)).contextId;
    const links = await this.chains.links({ contextId, repositoryId, diskId });
    // Where there is a link it says what its VM is called; otherwise it is also asked whether there is such a VM.
    const vmName = links.at(0)?.vmName ?? (await this.directory.byId(contextId)).vmName;
    const chains = byChain(links).toSorted(byNewest);
    const chosen = chains.findIndex((chain) => wanted === undefined || chain.some((link) => chainId(link) === wanted));
    if (chosen === -1 && wanted !== undefined) throw new UnknownChain(wanted);
    return chainResponse(
      chains[chosen] ?? [],
      chains.filter((_, index) => index !== chosen),
      { contextId, vmName, diskId },
    );
  }

  private async named(name: string | undefined): Promise<{ readonly contextId: string }> {
    if (name !== undefined) return this.directory.resolve(name);
    throw new MalformedRequest([{ field: 'vm_context_id', message: 'this or vm_name is needed' }]);
  }
}

function byChain(links: readonly Link[]): readonly (readonly Link[])[] {
  const chains = new Map<string, Link[]>();
  for (const link of links) chains.set(chainId(link), [...(chains.get(chainId(link)) ?? []), link]);
  return [...chains.values()];
}

function byNewest(one: readonly Link[], other: readonly Link[]): number {
  const [first, second] = [one, other].map((chain) => chain.at(-1)?.backup.createdAt.getTime() ?? 0);
  return (second ?? 0) - (first ?? 0);
}
