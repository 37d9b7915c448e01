import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { Config } from '#platform/config/config';

import { agentSettings } from './agent-settings.js';

const TOKEN = 'a secret of at least 24 characters';
const agent = (name: string, more: object = {}) => ({
  name,
  url: 'http://127.0.0.1:9081/',
  token: `${TOKEN} of ${name}`,
  ...more,
});

describe('the settings of agents', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'oma-agents-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const read = (content: string, mode = 0o600) => {
    const file = join(folder, 'agents.json');
    writeFileSync(file, content);
    chmodSync(file, mode);
    return agentSettings(Config.from({ OMA_AGENTS_FILE: file }));
  };

  it('name one agent for all vCenters where there is no file', async () => {
    const config = Config.from({ OMA_VMA_URL: 'http://127.0.0.1:9099', OMA_VMA_TOKEN: TOKEN });
    expect(await agentSettings(config)).toEqual([
      { name: 'default', url: 'http://127.0.0.1:9099', token: TOKEN, vcenterHosts: [] },
    ]);
  });

  it('are read from a file of their owner', async () => {
    const found = await read(JSON.stringify([agent('berlin', { vcenter_hosts: ['vcenter.berlin'] }), agent('rest')]));
    expect(found).toEqual([
      { name: 'berlin', url: 'http://127.0.0.1:9081', token: `${TOKEN} of berlin`, vcenterHosts: ['vcenter.berlin'] },
      { name: 'rest', url: 'http://127.0.0.1:9081', token: `${TOKEN} of rest`, vcenterHosts: [] },
    ]);
  });

  it.each([0o640, 0o604, 0o620])('are refused when others may use the file (%o)', async (mode) => {
    await expect(read(JSON.stringify([agent('berlin')]), mode)).rejects.toThrow('chmod 600');
  });

  it.each<[string, string, string]>([
    ['is no JSON', `[{"token":"${TOKEN}"`, "isn't JSON"],
    ['names nobody', '[]', "can't be used"],
    ['names one twice', JSON.stringify([agent('a'), agent('a', { token: `${TOKEN}!` })]), 'the same name'],
    ['gives two the same token', JSON.stringify([agent('a', { token: TOKEN }), agent('b', { token: TOKEN })]), 'token'],
    ['has a token that can be guessed', JSON.stringify([agent('a', { token: 'short' })]), '24 characters'],
    ['has fields that nobody knows', JSON.stringify([agent('a', { tokn: TOKEN })]), "can't be used"],
  ])('are refused when the file %s, and tell no token', async (_what, content, why) => {
    const refused = read(content);
    await expect(refused).rejects.toThrow(why);
    await expect(refused).rejects.not.toThrow(TOKEN);
  });
});
