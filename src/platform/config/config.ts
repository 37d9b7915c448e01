import { isIP } from 'node:net';
import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';

import { Misfit } from '#platform/start/cannot-start';

/** What is set to nothing was meant to be something: taken as a number it would be 0. */
const number = (wanted: z.ZodCoercedNumber<string>) =>
  z
    .string()
    .regex(/^\d+(?:\.\d+)?$/, 'a number')
    .pipe(wanted);
const PORTS = 65_535;

const DATABASE =
  'postgres://USER:PASSWORD@HOST:PORT/NAME; for a socket postgres://USER:PASSWORD@localhost/NAME?host=/FOLDER';

const environment = z.object({
  OMA_PORT: number(z.coerce.number<string>().int().min(0).max(PORTS)).default(8082),
  // Nothing at all would be every address that this machine has.
  OMA_HOST: z.string().regex(/\S/, 'an address').default('127.0.0.1'),
  OMA_TRUSTED_PROXIES: z
    .string()
    .transform((list) => list.split(',').map((proxy) => proxy.trim()))
    .refine((proxies) => proxies.every(isNetwork), 'addresses and networks (10.0.0.0/8), with commas between them')
    .default([]),
  OMA_DATA_DIR: z.string().min(1).default('.oma'),
  DATABASE_URL: z
    .url({ protocol: /^postgres(?:ql)?$/, error: DATABASE, abort: true })
    .refine(namesHost, DATABASE)
    .optional(),
  EVENTSTORE_URL: z
    .string()
    .regex(/^esdb(\+discover)?:\/\//, 'esdb://… or esdb+discover://…')
    .optional(),
  EVENTSTORE_NAMESPACE: z
    .string()
    .regex(/^[a-z0-9]{0,32}$/, 'up to 32 small letters and digits')
    .default(''),
  OMA_ADMIN_PASSWORD: z.string().min(12, 'at least 12 characters').optional(),
  OMA_MASTER_KEY: z
    .string()
    .regex(/^[0-9a-f]{64}$/i, '64 hexadecimal digits')
    .optional(),
  OMA_VMA_URL: z.url({ protocol: /^https?$/, error: 'http://… or https://…' }).default('http://127.0.0.1:9081'),
  OMA_VMA_TOKEN: z.string().min(24, 'at least 24 characters').optional(),
  OMA_AGENTS_FILE: z.string().min(1).optional(),
  OMA_AGENT_AWAY_SECONDS: number(z.coerce.number<string>().positive()).default(30),
  OMA_AGENT_STALLED_SECONDS: number(z.coerce.number<string>().positive()).default(120),
  OMA_NBD_PORTS: z
    .string()
    .regex(/^\d{1,5}-\d{1,5}$/, { error: 'FIRST-LAST', abort: true })
    .refine(isRangeOfPorts, 'two ports, the first one not above the last')
    .default('10100-10200'),
  OMA_INSTANCE_GONE_SECONDS: number(z.coerce.number<string>().min(60)).default(300),
  OMA_MOUNT_IDLE_SECONDS: number(z.coerce.number<string>().int().min(1)).default(3600),
  OMA_START_WAIT_SECONDS: number(z.coerce.number<string>().min(0)).default(60),
  OMA_STOP_WITHIN_SECONDS: number(z.coerce.number<string>().positive().max(86_400)).default(110),
  OMA_READY_LAG_SECONDS: number(z.coerce.number<string>().positive()).default(30),
  OMA_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/** Without one it would be whatever the driver takes for this machine. */
function namesHost(address: string): boolean {
  if (!URL.canParse(address)) return true;
  const { hostname, searchParams } = new URL(address);
  return hostname !== '' || (searchParams.get('host') ?? '') !== '';
}

function isRangeOfPorts(text: string): boolean {
  const [first = 0, last = 0] = text.split('-').map(Number);
  return first >= 1 && first <= last && last <= PORTS;
}

/** One address, or those that begin alike; never all of a kind: with them anybody could give himself any address. */
function isNetwork(text: string): boolean {
  const { address = '', bits } = /^(?<address>[^/]*)(?:\/(?<bits>[1-9]\d{0,2}))?$/.exec(text)?.groups ?? {};
  const version = isIP(address);
  if (version === 4) return Number(bits ?? 32) <= 32;
  // With the first 96 bits alone it would be all addresses of version 4.
  const isMapped = /^::ffff:/i.test(address);
  return version === 6 && Number(bits ?? 128) <= 128 && (!isMapped || Number(bits ?? 128) > 96);
}

/** The variables that are looked at. */
export const SETTINGS: readonly string[] = Object.keys(environment.shape);

/** Settings of one run. Parsed once at start and injected as a value; nothing else reads the environment. */
export class Config {
  readonly port: number;
  readonly host: string;
  /** Who may say in `X-Forwarded-For` for whom it asks. */
  readonly trustedProxies: readonly string[];
  readonly dataDir: string;
  /** Sockets, mount points, overlays and process logs of this run; nothing in it needs a backup. */
  readonly runDir: string;
  readonly databaseUrl: string | undefined;
  /** Where the log is when it isn't in PostgreSQL; holds a password. */
  readonly eventStoreUrl: string | null;
  /** Goes before the names of this OMA's streams on an event store that others use as well. */
  readonly eventStoreNamespace: string;
  readonly adminPassword: string | undefined;
  readonly masterKey: string | undefined;
  /** The one agent, where no file names several. */
  readonly vmaUrl: string;
  readonly vmaToken: string | null;
  readonly agentsFile: string | null;
  /** A backup fails when its agent doesn't answer for so long. */
  readonly agentAwaySeconds: number;
  /** A backup fails when its agent copies nothing for so long. */
  readonly agentStalledSeconds: number;
  readonly nbdPorts: { readonly first: number; readonly last: number };
  /** What another instance had under way is ended when that one was silent for so long after it was taken for dead. */
  readonly instanceGoneSeconds: number;
  readonly mountIdleSeconds: number;
  /** So long the database and the log may be away at start. */
  readonly startWaitSeconds: number;
  /** What didn't come to its end so long after a stop began is left as it is. */
  readonly stopWithinSeconds: number;
  /** OMA isn't ready while a projection is further behind. */
  readonly readyLagSeconds: number;
  readonly logLevel: string;

  constructor(env: z.infer<typeof environment>) {
    this.port = env.OMA_PORT;
    this.host = env.OMA_HOST;
    this.trustedProxies = env.OMA_TRUSTED_PROXIES;
    this.dataDir = isAbsolute(env.OMA_DATA_DIR) ? env.OMA_DATA_DIR : resolve(env.OMA_DATA_DIR);
    this.runDir = join(this.dataDir, 'run');
    this.databaseUrl = env.DATABASE_URL;
    this.eventStoreUrl = env.EVENTSTORE_URL ?? null;
    this.eventStoreNamespace = env.EVENTSTORE_NAMESPACE;
    this.adminPassword = env.OMA_ADMIN_PASSWORD;
    this.masterKey = env.OMA_MASTER_KEY;
    this.vmaUrl = env.OMA_VMA_URL.replace(/\/+$/, '');
    this.vmaToken = env.OMA_VMA_TOKEN ?? null;
    this.agentsFile = env.OMA_AGENTS_FILE === undefined ? null : resolve(env.OMA_AGENTS_FILE);
    this.agentAwaySeconds = env.OMA_AGENT_AWAY_SECONDS;
    this.agentStalledSeconds = env.OMA_AGENT_STALLED_SECONDS;
    const [first = 10100, last = 10200] = env.OMA_NBD_PORTS.split('-').map(Number);
    this.nbdPorts = { first, last };
    this.instanceGoneSeconds = env.OMA_INSTANCE_GONE_SECONDS;
    this.mountIdleSeconds = env.OMA_MOUNT_IDLE_SECONDS;
    this.startWaitSeconds = env.OMA_START_WAIT_SECONDS;
    this.stopWithinSeconds = env.OMA_STOP_WITHIN_SECONDS;
    this.readyLagSeconds = env.OMA_READY_LAG_SECONDS;
    this.logLevel = env.OMA_LOG_LEVEL;
  }

  /** Throws an error that names each bad variable and never shows a value. */
  static from(variables: Readonly<Record<string, string | undefined>>): Config {
    const parsed = environment.safeParse(variables);
    if (parsed.success) return new Config(parsed.data);
    const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new UnusableSettings(lines);
  }
}

/** Some variables of the environment can't be used. */
class UnusableSettings extends Misfit {
  constructor(lines: readonly string[]) {
    super(`these environment variables can't be used:\n${lines.join('\n')}`);
  }
}
