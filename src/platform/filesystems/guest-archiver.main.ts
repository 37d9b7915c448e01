/**
 * The program that archives one folder of a guest for one request, so that a filesystem that hangs hangs here and can be
 * killed. It gets the mount point as `--root=` and the request on standard input. It writes a line about the folder, then the
 * archive, and ends with 0 only when the archive is whole.
 */
import { isUtf8 } from 'node:buffer';
import { closeSync, fstatSync, readdirSync, readFileSync, readSync, type Stats } from 'node:fs';

import type { ArchiveFormat } from './archive-format.js';
import { archiveName, isKept, printableName } from './archive-names.js';
import { archiveWriter, type ArchiveWriter, type EntryFacts } from './archive-writers.js';
import { codeOf, enter, linkTarget, look, openFolder, openRoot, openSame, Refused, typeOf } from './guest-tree.js';

const ROOT = '--root=';
const PIECE_BYTES = 512 * 1024;
/** Beside the archive's only folder, so no entry of the guest can have this name. */
const TRAILER = 'oma-not-included.txt';
/** What ZIP has room for, with the slash of a folder. */
const MAX_PATH_BYTES = 0xffff - 1;

interface Request {
  readonly format: ArchiveFormat;
  /** Base64, since names needn't be text. */
  readonly components: readonly string[];
  /** What the archive's folder is called. */
  readonly name: string;
}

/** Walks one folder and writes what it finds. */
class Archiver {
  private readonly notes: string[] = [];
  /** Of files with several names the one that is in the archive already. */
  private readonly stored = new Map<string, string>();

  constructor(
    private readonly writer: ArchiveWriter,
    private readonly root: Stats,
  ) {}

  /** `path` is the folder's in the archive, `shown` its name for people. Closes `folder`. */
  async folder(folder: number, path: string, shown: string): Promise<void> {
    try {
      await this.writer.folder(factsOf(path, fstatSync(folder)));
      for (const name of this.fitting(this.names(folder, shown), path, shown)) {
        const inside = `${path}/${archiveName(name)}`;
        const shownInside = `${shown}/${printableName(name)}`;
        if (!isKept(name)) this.notes.push(`${shownInside}: stored under this name, the guest's can't be kept`);
        await this.entry(folder, name, inside, shownInside);
      }
    } finally {
      closeSync(folder);
    }
  }

  async end(): Promise<void> {
    if (this.notes.length > 0) {
      const text = Buffer.from(`${this.notes.join('\n')}\n`);
      const facts = { path: TRAILER, mode: 0o100644, uid: 0, gid: 0, mtime: new Date() };
      await this.writer.file(facts, text.length, [text]);
    }
    this.writer.end();
  }

  private names(folder: number, shown: string): readonly Buffer[] {
    try {
      return readdirSync(`/proc/self/fd/${folder}`, { encoding: 'buffer' });
    } catch (error) {
      this.notes.push(`${shown}: the folder can't be read (${codeOf(error)})`);
      return [];
    }
  }

  /** A guest can nest its folders as deep as it likes. */
  private fitting(names: readonly Buffer[], path: string, shown: string): readonly Buffer[] {
    const left = MAX_PATH_BYTES - Buffer.byteLength(`${path}/`);
    const fitting = names.filter((name) => Buffer.byteLength(archiveName(name)) <= left);
    const others = names.length - fitting.length;
    if (others > 0) this.notes.push(`${shown}: the paths of ${others} of its entries are too long for an archive`);
    return fitting;
  }

  private async entry(folder: number, name: Buffer, path: string, shown: string): Promise<void> {
    const found = this.opened(folder, name, shown);
    if (found === null) return;
    const facts = factsOf(path, found.stats);
    if (found.is === 'folder') await this.folder(found.fd, path, shown);
    else if (found.is === 'link') await this.writer.link(facts, found.target);
    else await this.file(facts, found.fd, found.stats, shown);
  }

  /** Of a file with several names only the first one carries the content, where the format knows other names. */
  private async file(
    facts: EntryFacts,
    fd: number,
    { ino, nlink, size, mtimeMs }: Stats,
    shown: string,
  ): Promise<void> {
    const identity = `${ino} ${size} ${mtimeMs}`;
    const first = nlink > 1 ? this.stored.get(identity) : undefined;
    if (first !== undefined && (await this.writer.hardLink(facts, first))) {
      closeSync(fd);
      return;
    }
    const content = this.begun(contentOf(fd, size), shown);
    if (content === null) return;
    await this.writer.file(facts, size, content);
    if (nlink > 1) this.stored.set(identity, facts.path);
  }

  /**
   * Content whose first piece was read already, so that most files that can't be read are noted; null for these. What can't
   * be read further behind can't be left out any more, for its place in the archive has begun: that ends the archive.
   */
  private begun(content: Generator<Buffer>, shown: string): Iterable<Buffer> | null {
    try {
      return resumed(content.next(), content);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      this.notes.push(`${shown}: it can't be read (${code ?? message})`);
      return null;
    }
  }

  /** What can't be stored is noted. */
  private opened(folder: number, name: Buffer, shown: string) {
    try {
      const stats = look(folder, name);
      if (stats.isSymbolicLink()) return { is: 'link' as const, stats, target: textTarget(linkTarget(folder, name)) };
      if (stats.isDirectory()) return { is: 'folder' as const, stats, fd: openFolder(folder, name, stats, this.root) };
      if (!stats.isFile()) throw new Refused('refused', `it is a ${typeOf(stats)}`);
      const fd = openSame(folder, name, stats, this.root);
      return { is: 'file' as const, stats: fstatSync(fd), fd };
    } catch (error) {
      const why = error instanceof Refused ? error.message : `it can't be read (${codeOf(error)})`;
      this.notes.push(`${shown}: ${why}`);
      return null;
    }
  }
}

/**
 * Exactly so many bytes in pieces, holes as zeros; closes the file at the end. Reading waits here and not in a thread: nothing
 * else is to be done meanwhile, the compressor has threads of its own, and of a thousand small files each costs one call.
 */
function* contentOf(fd: number, sizeBytes: number): Generator<Buffer> {
  try {
    for (let left = sizeBytes; left > 0;) {
      const piece = Buffer.allocUnsafeSlow(Math.min(left, PIECE_BYTES));
      const bytes = readSync(fd, piece);
      if (bytes === 0) throw new Error('a file ends before its size');
      left -= bytes;
      yield piece.subarray(0, bytes);
    }
  } finally {
    closeSync(fd);
  }
}

function* resumed(first: IteratorResult<Buffer>, rest: Iterable<Buffer>): Generator<Buffer> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}

function factsOf(path: string, { mode, uid, gid, mtimeMs }: Stats): EntryFacts {
  return { path, mode, uid, gid, mtime: new Date(mtimeMs) };
}

/** Neither format has room for a target that isn't text, and a changed one would lead elsewhere. */
function textTarget(target: Buffer): string {
  if (!isUtf8(target)) throw new Refused('refused', "it is a link whose target isn't text");
  return target.toString();
}

function refuseWhatIsNoFolder(seen: Stats): void {
  if (seen.isDirectory() || seen.isSymbolicLink()) return;
  throw new Refused('refused', `only folders can be downloaded as archives, and this is a ${typeOf(seen)}`);
}

async function answer(rootPath: string, { format, components, name }: Request): Promise<void> {
  const opened = openRoot(rootPath);
  let { folder } = opened;
  const names = components.map((component) => Buffer.from(component, 'base64'));
  for (const [index, name] of names.entries()) {
    if (index === names.length - 1) refuseWhatIsNoFolder(look(folder, name));
    folder = enter(folder, name, opened.root);
  }
  process.stdout.write(`${JSON.stringify({ archive: format })}\n`);
  const writer = archiveWriter(format, process.stdout);
  const archiver = new Archiver(writer, opened.root);
  const path = archiveName(Buffer.from(name, 'base64'));
  const walked = archiver.folder(folder, path === TRAILER ? `folder-${path}` : path, path).then(() => archiver.end());
  await Promise.all([walked, writer.written]);
}

try {
  await answer((process.argv[2] ?? '').slice(ROOT.length), JSON.parse(readFileSync(0, 'utf8')) as Request);
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  process.stdout.write(`${JSON.stringify({ refused: error.code, message: error.message })}\n`);
}
