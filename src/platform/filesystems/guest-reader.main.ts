/**
 * The program that reads one guest filesystem for one request, so that a read that hangs hangs here and can be killed. It
 * gets the mount point as `--root=` and the request on standard input. Each component is opened by itself, without following
 * links: a link that appears in between is refused too.
 */
import { lstatSync, readdirSync, readFileSync, readSync, type Stats, writeSync } from 'node:fs';

import { beneath, codeOf, enter, linkTarget, look, openRoot, openSame, Refused, typeOf } from './guest-tree.js';

const CHUNK_BYTES = 1024 * 1024;
/** Named, so that a later OMA finds the readers of a mount that it must close. */
const ROOT = '--root=';

interface Request {
  readonly op: 'list' | 'info' | 'read';
  /** Base64, since names needn't be text. */
  readonly components: readonly string[];
  readonly start?: number;
  readonly end?: number;
}

function entryOf(folder: number, name: Buffer, stats: Stats): object {
  return {
    name: name.toString('base64'),
    type: typeOf(stats),
    size: stats.size,
    mode: stats.mode,
    uid: stats.uid,
    gid: stats.gid,
    mtimeMs: stats.mtimeMs,
    linkTarget: stats.isSymbolicLink() ? linkTarget(folder, name).toString('base64') : null,
  };
}

function listed(folder: number, name: Buffer): object {
  try {
    return entryOf(folder, name, lstatSync(beneath(folder, name)));
  } catch {
    // A damaged entry is shown as such: nothing is left out in silence.
    const nothing = { size: 0, mode: 0, uid: 0, gid: 0, mtimeMs: 0, linkTarget: null };
    return { name: name.toString('base64'), type: 'unreadable', ...nothing };
  }
}

function write(bytes: Buffer): void {
  for (let done = 0; done < bytes.byteLength;) {
    try {
      done += writeSync(1, bytes, done);
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function tell(answer: object): void {
  write(Buffer.from(`${JSON.stringify(answer)}\n`));
}

/** A line about the file, then its bytes. */
function send(fd: number, start: number, end: number): void {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = start; at <= end;) {
    const got = readSync(fd, buffer, 0, Math.min(CHUNK_BYTES, end - at + 1), at);
    if (got === 0) throw new Error('the file ends before its size');
    write(buffer.subarray(0, got));
    at += got;
  }
}

function answer(rootPath: string, { op, components, start, end }: Request): void {
  const names = components.map((component) => Buffer.from(component, 'base64'));
  const opened = openRoot(rootPath);
  const { root } = opened;
  let { folder } = opened;
  const last = op === 'list' ? undefined : names.pop();
  for (const name of names) folder = enter(folder, name, root);
  if (op === 'list') {
    const found = readdirSync(`/proc/self/fd/${folder}`, { encoding: 'buffer' });
    tell({ entries: found.map((name) => listed(folder, name)) });
    return;
  }
  if (last === undefined) {
    if (op === 'read') throw new Refused('refused', 'a folder can not be read as a file');
    tell({ entry: entryOf(folder, Buffer.from('.'), root) });
    return;
  }
  const seen = look(folder, last);
  if (op === 'info') {
    tell({ entry: entryOf(folder, last, seen) });
    return;
  }
  if (!seen.isFile()) throw new Refused('refused', `only files can be read, and this is a ${typeOf(seen)}`);
  const fd = openSame(folder, last, seen, root);
  tell({ entry: entryOf(folder, last, seen) });
  send(fd, start ?? 0, end ?? seen.size - 1);
}

try {
  answer((process.argv[2] ?? '').slice(ROOT.length), JSON.parse(readFileSync(0, 'utf8')) as Request);
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  tell({ refused: error.code, message: error.message });
}
