import type { Principal } from './access.js';

/** Tokens of the agents beside the vCenters: each agent has its own. */
export abstract class AgentTokens {
  /** The agent whose token this is, with the role `agent`; null when it is nobody's. */
  abstract principalOf(token: string): Principal | null;
}
