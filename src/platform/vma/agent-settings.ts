import { open } from 'node:fs/promises';
import { z } from 'zod';

import type { Config } from '#platform/config/config';
import { Misfit } from '#platform/start/cannot-start';

/** One agent as the settings name it. */
export interface AgentSettings {
  readonly name: string;
  readonly url: string;
  readonly token: string | null;
  readonly vcenterHosts: readonly string[];
}

const OTHERS = 0o077;
const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens');
const file = z
  .array(
    z.strictObject({
      name,
      url: z.url().transform((url) => url.replace(/\/+$/, '')),
      token: z.string().min(24, 'at least 24 characters'),
      vcenter_hosts: z.array(z.string().min(1)).default([]),
    }),
  )
  .min(1)
  .refine(isUniqueBy('name'), 'two agents have the same name')
  .refine(isUniqueBy('token'), 'two agents have the same token');

/** The file of agents can't be used. Says nothing of what is in it. */
class UnusableAgents extends Misfit {}

/**
 * The agents of `OMA_AGENTS_FILE`, or the one of `OMA_VMA_URL`. Throws UnusableAgents, without any token in it, when
 * the file can't be used; one that others may read can't, since it holds tokens.
 */
export async function agentSettings(config: Config): Promise<readonly AgentSettings[]> {
  if (config.agentsFile === null) {
    return [{ name: 'default', url: config.vmaUrl, token: config.vmaToken, vcenterHosts: [] }];
  }
  const parsed = file.safeParse(await readPrivate(config.agentsFile));
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new UnusableAgents(`the file of OMA_AGENTS_FILE can't be used:\n${lines.join('\n')}`);
  }
  return parsed.data.map(({ vcenter_hosts: vcenterHosts, ...agent }) => ({ ...agent, vcenterHosts }));
}

async function readPrivate(path: string): Promise<unknown> {
  const handle = await open(path).catch(() => {
    throw new UnusableAgents("the file of OMA_AGENTS_FILE can't be read");
  });
  try {
    if (((await handle.stat()).mode & OTHERS) !== 0) {
      throw new UnusableAgents('the file of OMA_AGENTS_FILE holds tokens and may be read by others: chmod 600');
    }
    return JSON.parse(await handle.readFile('utf8')) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new UnusableAgents("the file of OMA_AGENTS_FILE isn't JSON", { cause: error });
    throw error;
  } finally {
    await handle.close();
  }
}

function isUniqueBy<Key extends string>(key: Key) {
  return (list: readonly Readonly<Record<Key, string>>[]): boolean =>
    new Set(list.map((one) => one[key])).size === list.length;
}
