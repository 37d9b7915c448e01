import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { DiskManifest } from './manifest.js';
import { runProgram } from './program.js';
import type { TrackedDisk } from './tracked-disk.js';

/** Paths begin at the root of the filesystem. */
export interface FileChanges {
  /** Content by path; folders that aren't there are made. */
  readonly write?: Readonly<Record<string, Buffer | string>>;
  readonly remove?: readonly string[];
}

const SECTOR_BYTES = 512;
/** The words of debugfs's own language: no quotes, no line breaks, nothing that it would take for something else. */
const PATH = /^(\/[^/"\\\p{Cc}]+)+$/u;

/** Changes files without mounting anything: in a copy of the disk, whose changed blocks the guest then writes. */
export async function changeFiles(disk: TrackedDisk, { write = {}, remove = [] }: FileChanges): Promise<void> {
  const writes = Object.entries(write).map(([path, content]) => ({
    path: absolute(path),
    content: Buffer.from(content),
  }));
  const removals = remove.map(absolute);
  const manifest = JSON.parse(await readFile(disk.manifestFile, 'utf8')) as DiskManifest;
  if (manifest.partition === null) throw new Error('the disk has no filesystem whose files could be changed');
  const known = new Account(manifest);
  for (const path of removals) if (!known.hasFile(path)) throw new Error(`there is no file ${path}`);
  const scratch = await mkdtemp(`${disk.file}.changes-`);
  try {
    const script = [...removals, ...writes.map(({ path }) => path).filter((path) => known.hasFile(path))].map(
      (path) => `rm "${path}"`,
    );
    for (const path of removals) known.remove(path);
    for (const [index, { path, content }] of writes.entries()) {
      const source = join(scratch, String(index));
      await writeFile(source, content, { mode: 0o600 });
      script.push(...known.missingFolders(path).flatMap((folder) => within(folder, (name) => `mkdir "${name}"`)));
      script.push(...within(path, (name) => `write "${source}" "${name}"`));
      known.write(path, content);
    }
    const scriptFile = join(scratch, 'script');
    await writeFile(scriptFile, `${script.join('\n')}\n`, { mode: 0o600 });
    const copy = join(scratch, 'disk');
    const { partition } = manifest;
    await disk.editCopy(copy, async () => {
      await debug(`${copy}?offset=${await partitionOffset(copy, partition)}`, scriptFile);
    });
    await writeFile(`${disk.manifestFile}.new`, JSON.stringify(known.manifest, null, 1), { mode: 0o600 });
    await rename(`${disk.manifestFile}.new`, disk.manifestFile);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** debugfs makes files and folders by their bare names only. */
function within(path: string, command: (name: string) => string): readonly string[] {
  const at = path.lastIndexOf('/');
  return [`cd "${path.slice(0, at) || '/'}"`, command(path.slice(at + 1))];
}

function absolute(path: string): string {
  const found = path.startsWith('/') ? path : `/${path}`;
  if (!PATH.test(found)) throw new Error('a path holds no quotes, backslashes or control characters');
  return found;
}

async function partitionOffset(file: string, partition: number): Promise<number> {
  const table = JSON.parse(await runProgram('sfdisk', ['--json', file])) as {
    readonly partitiontable: { readonly partitions: readonly { readonly start: number }[] };
  };
  const found = table.partitiontable.partitions[partition - 1];
  if (found === undefined) throw new Error(`the disk has no partition ${partition}`);
  return found.start * SECTOR_BYTES;
}

/** debugfs tells its version, echoes its script and ends well whatever happens: any word of it that is no echo is a complaint. */
async function debug(filesystem: string, scriptFile: string): Promise<void> {
  const said = await runProgram('debugfs', ['-w', '-f', scriptFile, filesystem]);
  const complaints = said
    .split('\n')
    .filter((line) => !/^(debugfs: .*|debugfs \d.*|Allocated inode: \d+|)$/.test(line));
  if (complaints.length > 0) throw new Error(`debugfs: ${complaints.join('; ')}`);
}

/** The manifest while files change. */
class Account {
  constructor(private current: DiskManifest) {}

  get manifest(): DiskManifest {
    return this.current;
  }

  hasFile(path: string): boolean {
    return this.current.files.some((file) => file.path === encoded(path));
  }

  remove(path: string): void {
    this.current = { ...this.current, files: this.current.files.filter((file) => file.path !== encoded(path)) };
  }

  write(path: string, content: Buffer): void {
    this.remove(path);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const file = { path: encoded(path), size: content.length, sha256 };
    this.current = { ...this.current, files: [...this.current.files, file] };
  }

  /** The folders above `path` that have to be made first, the uppermost first; they count as made. */
  missingFolders(path: string): readonly string[] {
    const names = path.split('/').slice(1, -1);
    const missing = names
      .map((_, index) => `/${names.slice(0, index + 1).join('/')}`)
      .filter((folder) => !this.hasFolder(folder));
    const made = missing.map((folder) => ({ path: encoded(folder), type: 'folder' as const }));
    this.current = { ...this.current, others: [...this.current.others, ...made] };
    return missing;
  }

  /** Of a tree that was made at once, the manifest names the lowest folders only. */
  private hasFolder(folder: string): boolean {
    const { files, others } = this.current;
    return [...files, ...others].some(({ path }) => {
      const known = Buffer.from(path, 'base64').toString();
      return known === folder || known.startsWith(`${folder}/`);
    });
  }
}

function encoded(path: string): string {
  return Buffer.from(path).toString('base64');
}
