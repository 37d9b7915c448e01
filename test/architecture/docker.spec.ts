import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';

import { SETTINGS } from '#platform/config/config';

interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly extends?: { readonly file: string; readonly service: string };
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly privileged?: boolean;
  readonly restart?: string;
  readonly init?: boolean;
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** As docs/operations.md has it, with an embedded PostgreSQL. */
const LONGEST_STOP_SECONDS = 5 + 45 + 20 + 30;
const COMPOSE_FILES = ['docker-compose.yml', 'docker-compose.cluster.yml'];
const read = (file: string) => parse(readFileSync(file, 'utf8'), { merge: true }) as Compose;
/** With what a service takes over from the other file. */
const servicesOf = (file: string): readonly (readonly [string, Service])[] =>
  Object.entries(read(file).services).map(([name, service]) => {
    const base = service.extends === undefined ? {} : read(service.extends.file).services[service.extends.service];
    return [name, { ...base, ...service }] as const;
  });

describe.each(COMPOSE_FILES)('%s', (file) => {
  const services = servicesOf(file);
  const { environment = {}, ...oma } = new Map(services).get('oma') ?? {};

  it('starts an EventStoreDB of the last BSD licensed line, PostgreSQL 17 and OMA', () => {
    const images = services.map(([, { image }]) => image ?? '');
    expect(images.filter((image) => /^eventstore\/eventstore:23\.10\.\d+/.test(image)).length).toBeGreaterThan(0);
    expect(images.filter((image) => image.startsWith('postgres:17')).length).toBe(1);
    expect(oma).toMatchObject({ build: '.', init: true });
    for (const image of images) expect(image).not.toMatch(/:latest$/);
  });

  it('gives OMA settings that it knows, and the addresses of services that there are', () => {
    expect(Object.keys(environment).filter((name) => !SETTINGS.includes(name))).toEqual([]);
    expect(Object.keys(environment)).toEqual(expect.arrayContaining(['DATABASE_URL', 'EVENTSTORE_URL']));
    expect(environment['DATABASE_URL']).toContain('@postgres:5432/');
    expect(environment['EVENTSTORE_URL']).toMatch(/^esdb:\/\//);
    expect(Object.keys(oma.depends_on ?? {}).filter((name) => !services.some(([known]) => known === name))).toEqual([]);
  });

  it('publishes ports on the loopback address only', () => {
    for (const [, { ports = [] }] of services) for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('holds no password: each is taken from the environment', () => {
    for (const [, { environment: settings = {} }] of services) {
      for (const [name, value] of Object.entries(settings)) {
        if (/PASSWORD|TOKEN|KEY$/.test(name)) expect(value).toMatch(/^\$\{\w+(:\?[^}]*)?\}$/);
        if (name.endsWith('_URL')) expect(value).not.toMatch(/:\/\/[^@/]*:(?!\$\{)[^@/]*@/);
      }
    }
  });

  it('keeps what must last in volumes that it declares', () => {
    const declared = Object.keys(read(file).volumes);
    for (const [name, { volumes = [] }] of services) {
      const used = volumes.map((volume) => volume.split(':')[0]);
      expect({ name, unknown: used.filter((volume) => !declared.includes(volume ?? '')) }).toEqual({
        name,
        unknown: [],
      });
    }
    expect(declared).toEqual(expect.arrayContaining(['postgres-data', 'oma-data', 'oma-repositories']));
  });

  it('looks after the health of every service that goes on, and waits for it', () => {
    for (const [name, { healthcheck, build, restart }] of services) {
      if (restart !== undefined && build === undefined)
        expect({ name, healthcheck }).toMatchObject({ healthcheck: {} });
    }
    for (const { condition } of Object.values(oma.depends_on ?? {})) expect(condition).toBe('service_healthy');
  });

  it('starts everything again that has ended, also with the machine', () => {
    const lasting = services.filter(([, { restart }]) => restart !== undefined);
    expect(lasting.map(([name]) => name)).toContain('oma');
    expect(lasting.filter(([, { restart }]) => restart !== 'unless-stopped')).toEqual([]);
  });

  it('lets OMA end what is under way before it is killed', () => {
    expect(Number(/^(\d+)s$/.exec(oma.stop_grace_period ?? '')?.[1])).toBeGreaterThanOrEqual(LONGEST_STOP_SECONDS);
  });

  it('gives OMA no more than file restore needs', () => {
    expect(oma).toMatchObject({ devices: ['/dev/fuse'], cap_add: ['SYS_ADMIN'] });
    expect(services.filter(([, { privileged }]) => privileged === true)).toEqual([]);
  });
});

describe("the certificates of the cluster's nodes", () => {
  const { command: [script = ''] = [] } = read('docker-compose.cluster.yml').services['certificates'] ?? {};
  let folder: string;

  /** A program that stands in for one of the container's. */
  const standIn = (name: string, text: string) => {
    writeFileSync(join(folder, name), `#!/bin/bash\n${text}\n`, { mode: 0o755 });
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'oma-certificates-'));
    mkdirSync(join(folder, 'certs'));
    standIn('chown', '');
    // As the real one it needs the authority's key for a node, and says what it was asked for.
    standIn(
      'es-gencert-cli',
      `echo "$@"; set -e; out=$(grep -oP '(?<=-out )\\S+' <<<"$*"); mkdir -p $out
       if [ $1 = create-ca ]; then touch $out/ca.key $out/ca.crt; else cat ca/ca.key ca/ca.crt; touch $out/node.key $out/node.crt; fi`,
    );
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const made = () => {
    const text = script.replaceAll('$$', '$').replaceAll('/certs', join(folder, 'certs'));
    const { status, stdout } = spawnSync('bash', ['-euc', text], {
      env: { PATH: `${folder}:${process.env['PATH'] ?? ''}` },
      encoding: 'utf8',
    });
    const lines = stdout.split('\n').filter((line) => line !== '');
    return { status, made: lines.map((line) => /create-ca|node\d$/.exec(line)?.[0]) };
  };

  it('are all made at first, and none again', () => {
    expect(made()).toEqual({ status: 0, made: ['create-ca', 'node1', 'node2', 'node3'] });
    expect(made()).toEqual({ status: 0, made: [] });
  });

  it('are made whole where making them was cut off', () => {
    made();
    rmSync(join(folder, 'certs', 'node3'), { recursive: true });
    rmSync(join(folder, 'certs', 'node2', 'node.crt'));
    mkdirSync(join(folder, 'certs', 'draft'));
    expect(made()).toEqual({ status: 0, made: ['node2', 'node3'] });
    expect(existsSync(join(folder, 'certs', 'draft'))).toBe(false);
  });

  it('are taken as they are when the key of the authority was taken away', () => {
    made();
    rmSync(join(folder, 'certs', 'ca', 'ca.key'));
    expect(made()).toEqual({ status: 0, made: [] });
    rmSync(join(folder, 'certs', 'node1'), { recursive: true });
    expect(made().status).not.toBe(0);
    expect(existsSync(join(folder, 'certs', 'node1'))).toBe(false);
  });

  it('last for as long as the manual says', () => {
    expect(script).toContain('create-ca -days 3650');
    expect(script).toContain('create-node -days 1825');
  });
});

describe('docker-compose.cluster.yml', () => {
  it('has three nodes, each of which knows the other two and has a certificate of its own', () => {
    const nodes = servicesOf('docker-compose.cluster.yml').filter(([name]) => name.startsWith('node'));
    const addresses = nodes.map(([, { environment = {} }]) => environment['EVENTSTORE_NODE_HOST_ADVERTISE_AS'] ?? '');
    expect(new Set(addresses).size).toBe(3);
    for (const [name, { environment = {} }] of nodes) {
      const own = environment['EVENTSTORE_NODE_HOST_ADVERTISE_AS'] ?? '';
      const others = addresses.filter((address) => address !== own).map((address) => `${address}:2113`);
      expect(environment['EVENTSTORE_GOSSIP_SEED']?.split(',')).toEqual(others);
      expect(environment['EVENTSTORE_CERTIFICATE_FILE']).toBe(`/certs/${name}/node.crt`);
      expect(environment['EVENTSTORE_INSECURE']).toBeUndefined();
    }
  });
});

describe('Dockerfile', () => {
  const text = readFileSync('Dockerfile', 'utf8');

  it('copies only what there is and what .dockerignore lets in', () => {
    const allowed = [...readFileSync('.dockerignore', 'utf8').matchAll(/^!(\S+)$/gm)].map(([, name = '']) => name);
    const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) => names.split(' '));
    expect(copied.length).toBeGreaterThan(5);
    for (const name of copied) {
      expect({ name, exists: existsSync(name), allowed: allowed.includes(name) }).toEqual({
        name,
        exists: true,
        allowed: true,
      });
    }
  });

  it('runs scripts that package.json has, and OMA as nobody special', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const run = [...text.matchAll(/npm run (\S+)/g)].map(([, name = '']) => name);
    expect(run.filter((name) => !(name in scripts))).toEqual([]);
    expect([...text.matchAll(/^USER (\S+)$/gm)].at(-1)?.[1]).toBe('oma');
    expect(text).toContain('"dist/src/main.js"');
  });

  it('sets settings that OMA knows, and installs the programs that it starts', () => {
    const settings = [...text.matchAll(/\b(OMA_\w+)=/g)].map(([, name = '']) => name);
    expect(settings.filter((name) => !SETTINGS.includes(name))).toEqual([]);
    const bootstrap = readFileSync('scripts/bootstrap/programs.mjs', 'utf8');
    const needed = /const needed = \{([^}]*)\}/.exec(bootstrap)?.[1] ?? '';
    const packages = new Set([...needed.matchAll(/: '([\w-]+)'/g)].map(([, name = '']) => name));
    expect(packages.size).toBeGreaterThan(5);
    for (const name of packages) expect(text).toMatch(new RegExp(`\\s${name}\\s`));
  });
});
