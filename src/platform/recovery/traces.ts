import { readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { mountPoints } from '#platform/mounts/mount-table';
import type { DaemonIdentity } from '#platform/processes/process-runner.port';
import { processesWithArgument } from '#platform/processes/process-table';
import type { NbdExports } from '#platform/qemu/nbd-exports';

/** To which export or mount something belongs, or belonged. */
export interface Owner {
  readonly kind: 'export' | 'mount';
  readonly id: string;
}

/** Something of an export or a mount: a process, a mount point, its folder in the run directory, the port it holds. */
export type Trace =
  | { readonly kind: 'process'; readonly owner: Owner; readonly program: string; readonly daemon: DaemonIdentity }
  | { readonly kind: 'mount'; readonly owner: Owner; readonly place: string }
  | { readonly kind: 'folder'; readonly owner: Owner }
  | { readonly kind: 'port'; readonly owner: Owner };

const PROGRAMS = ['qemu-nbd', 'nbdfuse', 'fuse2fs'];
/** Of the program that reads guest files, which is one of Node's many. */
const READERS = '--root=';
const FOLDERS = { export: 'exports', mount: 'mounts' } as const;
const ID = /^[0-9A-Za-z-]{1,100}$/;

/**
 * Everything that exports and mounts have left or use. Only what OMA makes is looked at: its own programs with a place of its
 * run directory in their arguments, and what lies beneath that directory under a name of its kind.
 */
export async function findTraces(runDir: string, nbdExports: NbdExports): Promise<readonly Trace[]> {
  return [
    ...(await processes(runDir)),
    ...(await mounts(runDir)),
    ...(await folders(runDir)),
    ...(await ports(nbdExports)),
  ];
}

async function processes(runDir: string): Promise<readonly Trace[]> {
  const seen = await processesWithArgument((argument) => ownerOf(runDir, argument) !== null);
  return seen.flatMap(({ pid, startTicks, args: [path = '', ...args] }) => {
    const program = basename(path);
    const named = args.filter((argument) => PROGRAMS.includes(program) || argument.startsWith(READERS));
    const owner = named.map((argument) => ownerOf(runDir, argument)).find((one) => one !== null);
    if (owner === undefined) return [];
    return [{ kind: 'process', owner, program, daemon: { pid, startTicks } } as const];
  });
}

async function mounts(runDir: string): Promise<readonly Trace[]> {
  const real = await realpath(runDir).catch(() => runDir);
  return (await mountPoints()).flatMap((place) => {
    const owner = ownerOf(real, place);
    return owner === null ? [] : [{ kind: 'mount', owner, place } as const];
  });
}

async function folders(runDir: string): Promise<readonly Trace[]> {
  const found = await Promise.all((['export', 'mount'] as const).map((kind) => foldersOf(runDir, kind)));
  return found.flat();
}

async function foldersOf(runDir: string, kind: Owner['kind']): Promise<readonly Trace[]> {
  const entries = await readdir(join(runDir, FOLDERS[kind]), { withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  const ids = entries.filter((entry) => entry.isDirectory() && ID.test(entry.name)).map((entry) => entry.name);
  return ids.map((id) => ({ kind: 'folder', owner: { kind, id } }));
}

async function ports(nbdExports: NbdExports): Promise<readonly Trace[]> {
  return (await nbdExports.ports.holders()).map((id) => ({ kind: 'port', owner: { kind: 'export', id } }));
}

/** Whose place a path or an option's value names: `--socket=/…/mounts/ID/nbd.sock` is the mount's. */
function ownerOf(runDir: string, argument: string): Owner | null {
  const path = argument.replace(/^--[a-z-]+=/, '');
  for (const kind of ['export', 'mount'] as const) {
    const folder = `${join(runDir, FOLDERS[kind])}/`;
    const [id = ''] = path.startsWith(folder) ? path.slice(folder.length).split('/') : [];
    if (ID.test(id)) return { kind, id };
  }
  return null;
}
