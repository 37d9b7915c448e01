import type { Config } from '#platform/config/config';

import { agentSettings } from './agent-settings.js';
import { Agents } from './agents.js';
import { HttpVmaClient } from './http.vma-client.js';

/** The agents of the settings, each spoken to over HTTP. Throws when the settings can't be used; see `agentSettings`. */
export async function configuredAgents(config: Config): Promise<Agents> {
  const settings = await agentSettings(config);
  return new Agents(settings.map(({ url, ...agent }) => ({ ...agent, client: new HttpVmaClient(url) })));
}
