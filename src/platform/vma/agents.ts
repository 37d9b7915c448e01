import { createHash, timingSafeEqual } from 'node:crypto';

import type { Principal } from '#platform/http/access';
import { AgentTokens } from '#platform/http/agent-tokens.port';

import { NoAgentFor } from './vma.errors.js';
import type { VmaClient } from './vma-client.port.js';

/** One agent as it was set up. */
export interface KnownAgent {
  readonly name: string;
  readonly client: VmaClient;
  /** What it proves itself with when it calls OMA; null for one that never calls. */
  readonly token: string | null;
  /** Names of the vCenters it stands beside; an agent without any is asked for all others. */
  readonly vcenterHosts: readonly string[];
}

/** An agent with its place among all of them, which decides over its share of the export ports. */
export interface Agent extends KnownAgent {
  readonly slice: { readonly index: number; readonly of: number };
}

/** The agents that this OMA works with. */
export class Agents extends AgentTokens {
  private readonly agents: readonly Agent[];
  private readonly proofs: readonly { readonly digest: Buffer; readonly principal: Principal }[];

  constructor(known: readonly KnownAgent[]) {
    super();
    this.agents = known.map((agent, index) => ({ ...agent, slice: { index, of: known.length } }));
    this.proofs = known.flatMap(({ name, token }) =>
      token === null
        ? []
        : [{ digest: digest(token), principal: { userId: `agent:${name}`, username: name, role: 'agent' } as const }],
    );
  }

  /** Throws NoAgentFor. */
  named(name: string): Agent {
    const found = this.agents.find((agent) => agent.name === name);
    if (found === undefined) throw new NoAgentFor(`there is no agent ${name} any more`);
    return found;
  }

  /** The agent that stands beside a vCenter. Throws NoAgentFor. */
  beside(vcenterHost: string): Agent {
    const host = vcenterHost.toLowerCase();
    const found =
      this.agents.find((agent) => agent.vcenterHosts.some((one) => one.toLowerCase() === host)) ??
      this.agents.find((agent) => agent.vcenterHosts.length === 0);
    if (found === undefined) throw new NoAgentFor(`no agent stands beside the vCenter ${vcenterHost}`);
    return found;
  }

  principalOf(token: string): Principal | null {
    const given = digest(token);
    return this.proofs.find((proof) => timingSafeEqual(proof.digest, given))?.principal ?? null;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
