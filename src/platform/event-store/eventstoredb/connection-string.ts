import { accessSync, constants } from 'node:fs';

import { Misfit } from '#platform/start/cannot-start';

/** Options of the client that OMA passes on. What isn't here is refused: the client would print it, password and all. */
const OPTIONS = [
  'tls',
  'tlsCAFile',
  'userCertFile',
  'userKeyFile',
  'nodePreference',
  'maxDiscoverAttempts',
  'discoveryInterval',
  'gossipTimeout',
  'keepAliveTimeout',
  'connectionName',
];
const FILES = ['tlsCAFile', 'userCertFile', 'userKeyFile'];
const FORM = /^esdb(?:\+discover)?:\/\/(?:[^:@/]+:[^@/]+@)?(?<hosts>[^@/?]+)\/?(?:\?(?<query>.*))?$/;
const HOST = /^[\w.-]+(?::\d{1,5})?$/;

/** The address of an EventStoreDB can't be used. Shows nothing of it but the names of options. */
export class BadConnectionString extends Misfit {
  constructor(reason: string) {
    super(`EVENTSTORE_URL can't be used: ${reason}`);
  }
}

/** The connection string, when the client would read it without a complaint. Throws BadConnectionString. */
export function checkedConnectionString(url: string): string {
  const groups: Readonly<Record<string, string | undefined>> = FORM.exec(url.trim())?.groups ?? {};
  const hosts = groups['hosts']?.split(',') ?? [];
  if (hosts.length === 0 || !hosts.every((host) => HOST.test(host))) {
    throw new BadConnectionString(
      'it must look like esdb://user:password@host:2113?tls=true, or esdb+discover://…; percent-encode what is special',
    );
  }
  for (const pair of groups['query']?.split('&') ?? []) checkOption(pair);
  return url.trim();
}

function checkOption(pair: string): void {
  const [name = '', value = ''] = pair.split('=');
  if (!OPTIONS.includes(name)) throw new BadConnectionString(`the option ${name} isn't one of ${OPTIONS.join(', ')}`);
  if (value === '' || value.includes('?')) throw new BadConnectionString(`the option ${name} has no value`);
  // A node that lags tells of less than was acknowledged, and an empty one looks like another log.
  if (name === 'nodePreference' && value.toLowerCase() !== 'leader') {
    throw new BadConnectionString(
      'nodePreference is leader or left out: only the leader has all that was acknowledged',
    );
  }
  if (name === 'tls' && !['true', 'false'].includes(value)) throw new BadConnectionString('tls is true or false');
  if (FILES.includes(name) && !isReadable(decodeURIComponent(value))) {
    throw new BadConnectionString(`the file that the option ${name} names can't be read`);
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
