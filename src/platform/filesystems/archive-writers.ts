import { once } from 'node:events';
import { Readable, type Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

import { type Header, pack } from 'tar-stream';
import { ZipFile } from 'yazl';

import type { ArchiveFormat } from './archive-format.js';

/** What is stored of an entry beside its content. */
export interface EntryFacts {
  /** Slashes between the parts, none at the beginning or the end. */
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Date;
}

/** Writes one archive, entry by entry: each resolves when its bytes are on their way, so nothing piles up. */
export interface ArchiveWriter {
  /** Resolves when the archive is out whole; rejects when it can't be any more, and then no entry need ever resolve. */
  readonly written: Promise<void>;
  folder(facts: EntryFacts): Promise<void>;
  link(facts: EntryFacts, target: string): Promise<void>;
  /** Another name of a file that is in the archive already; false where the format has none. */
  hardLink(facts: EntryFacts, path: string): Promise<boolean>;
  /** Rejects when the content isn't exactly `sizeBytes` long. */
  file(facts: EntryFacts, sizeBytes: number, pieces: Iterable<Buffer>): Promise<void>;
  end(): void;
}

export function archiveWriter(format: ArchiveFormat, to: Writable): ArchiveWriter {
  return format === 'zip' ? new ZipWriter(to) : new TarWriter(to);
}

/** Each piece costs the compressor a way to another thread and back: small ones go there together. */
async function* joined(pieces: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let bytes = 0;
  for await (const some of pieces) {
    const piece = some as Buffer;
    waiting.push(piece);
    bytes += piece.byteLength;
    if (bytes < CHUNK_BYTES) continue;
    yield waiting.length === 1 ? piece : Buffer.concat(waiting, bytes);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting, bytes);
}

type TarHeader = Partial<Header> & { name: string };

/** What gzip itself does when it isn't told otherwise. */
const LEVEL = 6;
const CHUNK_BYTES = 256 * 1024;
/** Read while the compressor is busy. */
const AHEAD_BYTES = 2 * 1024 * 1024;
/** Beyond this the number doesn't fit into the old header and goes into an extended one (pax). */
const MAX_OLD_ID = 0o7777777;
/** The same for the time: what tar-stream writes ends in 2038. */
const MAX_OLD_SECONDS = 2 ** 31 - 1;
const MS = 1000;

class TarWriter implements ArchiveWriter {
  readonly written: Promise<void>;
  private readonly tar = pack({ highWaterMark: AHEAD_BYTES });

  constructor(to: Writable) {
    this.written = pipeline(this.tar, joined, createGzip({ level: LEVEL, chunkSize: CHUNK_BYTES }), to);
  }

  async folder(facts: EntryFacts): Promise<void> {
    await this.entry({ ...headersOf(facts), name: `${facts.path}/`, type: 'directory', size: 0 });
  }

  async link(facts: EntryFacts, target: string): Promise<void> {
    await this.entry({ ...headersOf(facts), type: 'symlink', linkname: target, size: 0 });
  }

  async hardLink(facts: EntryFacts, path: string): Promise<boolean> {
    await this.entry({ ...headersOf(facts), type: 'link', linkname: path, size: 0 });
    return true;
  }

  async file(facts: EntryFacts, sizeBytes: number, pieces: Iterable<Buffer>): Promise<void> {
    await this.entry({ ...headersOf(facts), type: 'file', size: sizeBytes }, pieces);
  }

  end(): void {
    this.tar.finalize();
  }

  /** Most files are one piece, and a stream for each of them would cost more than to compress it. */
  private async entry(headers: TarHeader, pieces: Iterable<Buffer> = []): Promise<void> {
    const entry = this.tar.entry(headers);
    const done = finished(entry);
    for (const piece of pieces) {
      if (!entry.write(piece)) await Promise.race([once(entry, 'drain'), done]);
    }
    entry.end(null);
    await done;
  }
}

function headersOf({ path: name, mode, uid, gid, mtime }: EntryFacts): TarHeader {
  const seconds = Math.floor(mtime.getTime() / MS);
  const old = Math.min(Math.max(seconds, 0), MAX_OLD_SECONDS);
  const pax = {
    ...(seconds !== old && { mtime: String(seconds) }),
    ...(uid > MAX_OLD_ID && { uid: String(uid) }),
    ...(gid > MAX_OLD_ID && { gid: String(gid) }),
  };
  return {
    name,
    // With the bits of its type, which the header leaves out: tar-stream takes a mode of 0 for none and writes one of its own.
    mode,
    uid,
    gid,
    mtime: new Date(old * MS),
    ...(Object.keys(pax).length > 0 && { pax }),
  };
}

const FIRST_ZIP_YEAR = 1980;
const LAST_ZIP_YEAR = 2107;
const LARGE_BYTES = 0xf0000000;
const LINK_MODE = 0o120777;

class ZipWriter implements ArchiveWriter {
  readonly written: Promise<void>;
  private readonly zip = new ZipFile();

  constructor(to: Writable) {
    this.written = pipeline(this.zip.outputStream as Readable, to);
    this.zip.on('error', (error: Error) => (this.zip.outputStream as Readable).destroy(error));
  }

  folder({ path, mode, mtime }: EntryFacts): Promise<void> {
    this.zip.addEmptyDirectory(path, { mode: mode & 0xffff, mtime: zipTime(mtime) });
    return Promise.resolve();
  }

  async link({ path, mtime }: EntryFacts, target: string): Promise<void> {
    const bytes = Buffer.from(target);
    await this.add(
      path,
      { mode: LINK_MODE, mtime: zipTime(mtime), compress: false },
      bytes.length,
      Readable.from([bytes]),
    );
  }

  hardLink(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async file({ path, mode, mtime }: EntryFacts, sizeBytes: number, pieces: Iterable<Buffer>): Promise<void> {
    const forceZip64Format = sizeBytes >= LARGE_BYTES;
    const options = { mode: mode & 0xffff, mtime: zipTime(mtime), forceZip64Format, compressionLevel: LEVEL };
    await this.add(path, options, sizeBytes, Readable.from(pieces, { objectMode: false }));
  }

  end(): void {
    this.zip.end();
  }

  private async add(path: string, options: object, sizeBytes: number, content: Readable): Promise<void> {
    this.zip.addReadStreamLazy(path, { ...options, size: sizeBytes }, (take) => {
      take(null, content);
    });
    await once(content, 'close');
    if (content.errored !== null) throw content.errored;
  }
}

/** The format knows no other years. */
function zipTime(mtime: Date): Date {
  const year = mtime.getFullYear();
  if (year < FIRST_ZIP_YEAR) return new Date(FIRST_ZIP_YEAR, 0, 1);
  return year > LAST_ZIP_YEAR ? new Date(LAST_ZIP_YEAR, 11, 31) : mtime;
}
