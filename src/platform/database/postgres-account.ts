import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { EmbeddedPostgresUnavailable, type PostgresBinaries } from './postgres-binaries.js';

/** As whom PostgreSQL, which refuses to be root, runs, and where its files then lie. */
export interface PostgresAccount {
  readonly binaries: PostgresBinaries;
  /** Holds the cluster, its socket, its password and its log. Only OMA and PostgreSQL may enter. */
  readonly home: string;
  /** The program and arguments that start this one as the account. The process that results is the program itself. */
  command(program: string, args: readonly string[]): [program: string, args: string[]];
  /** Hands a file or folder that OMA made to the account. */
  own(path: string): void;
}

export type AccountKind = 'this-user' | 'user-namespace' | 'system-user';

const systemUser = 'oma-postgres';
const systemFolder = '/var/lib/oma-postgres';

/**
 * A plain user runs PostgreSQL directly. Root runs it in a user namespace, in which root's files belong to an ordinary
 * user: it needs no account and works in a folder only root may enter. Where namespaces are forbidden, a system account is
 * made; it can't enter the data folder or node_modules, so its data and a copy of the programs lie below /var/lib.
 */
export function chooseAccountKind(): AccountKind {
  if (process.getuid?.() !== 0) return 'this-user';
  return succeeds('unshare', [...namespace, 'true']) ? 'user-namespace' : 'system-user';
}

/** Where the files of a data folder's database lie; nothing is made. */
export function homeOf(kind: AccountKind, dataDir: string): string {
  if (kind !== 'system-user') return join(dataDir, 'postgres');
  return join(systemFolder, createHash('sha256').update(dataDir).digest('hex').slice(0, 16));
}

export function openAccount(kind: AccountKind, dataDir: string, binaries: PostgresBinaries): PostgresAccount {
  if (kind === 'system-user') return openSystemUser(dataDir, binaries);
  const home = homeOf(kind, dataDir);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  return {
    binaries,
    home,
    command: (program, args) =>
      kind === 'this-user' ? [program, [...args]] : ['unshare', [...namespace, program, ...args]],
    own: () => undefined,
  };
}

const namespace = ['--user', '--map-user=1000', '--map-group=1000', '--'];

function openSystemUser(dataDir: string, binaries: PostgresBinaries): PostgresAccount {
  if (idOf('-u') === undefined) {
    spawnSync('useradd', ['--system', '--no-create-home', '--user-group', '--shell', '/usr/sbin/nologin', systemUser]);
  }
  const uid = idOf('-u');
  const gid = idOf('-g');
  if (uid === undefined || gid === undefined) {
    throw new EmbeddedPostgresUnavailable(
      `PostgreSQL refuses to run as root, this machine forbids user namespaces, and the account ${systemUser} can't be ` +
        `made; run OMA as a plain user, or set DATABASE_URL to a PostgreSQL server`,
    );
  }
  const own = (path: string): void => {
    chownSync(path, uid, gid);
  };
  const home = homeOf('system-user', dataDir);
  mkdirSync(systemFolder, { recursive: true, mode: 0o755 });
  mkdirSync(home, { recursive: true, mode: 0o700 });
  own(home);
  return {
    binaries: copyPrograms(binaries),
    home,
    command: (program, args) => [
      'setpriv',
      [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs', '--', program, ...args],
    ],
    own,
  };
}

/** The account can't enter a clone in root's home, so it gets a copy, named after the package's version. */
function copyPrograms(binaries: PostgresBinaries): PostgresBinaries {
  const about = readFileSync(join(binaries.root, '..', 'package.json'));
  const key = createHash('sha256').update(about).digest('hex').slice(0, 16);
  const root = join(systemFolder, `programs-${key}`);
  if (!existsSync(root)) {
    const draft = `${root}.new-${process.pid}`;
    rmSync(draft, { recursive: true, force: true });
    cpSync(binaries.root, draft, { recursive: true, verbatimSymlinks: true });
    renameSync(draft, root);
  }
  return { root, initdb: join(root, 'bin', 'initdb'), postgres: join(root, 'bin', 'postgres') };
}

function idOf(flag: '-u' | '-g'): number | undefined {
  const answer = spawnSync('id', [flag, systemUser], { encoding: 'utf8' });
  return answer.status === 0 ? Number(answer.stdout) : undefined;
}

function succeeds(program: string, args: readonly string[]): boolean {
  return spawnSync(program, [...args], { stdio: 'ignore' }).status === 0;
}
