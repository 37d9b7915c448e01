import type { Readable } from 'node:stream';

import type { ArchiveFormat } from './archive-format.js';

/** Where to read: one partition of one mount. */
export interface GuestPlace {
  readonly mountId: string;
  readonly partition: number;
}

/** A file, folder or anything else in a guest's filesystem. Everything in it is the guest's word: hostile. */
export interface GuestEntry {
  /** Bytes; a name needn't be text. */
  readonly name: Buffer;
  readonly type: 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'block' | 'char' | 'unreadable';
  /** Bytes. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: number;
  /** Where a link points: shown, never followed. */
  readonly linkTarget: Buffer | null;
}

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/**
 * Reading a guest's filesystem. Paths are bytes, from the root of the partition. Nothing leads out of it: components are
 * opened one by one, links are never followed, and only files are opened. Throws PathNotFoundInGuest, PathRefused, or
 * MountDoesNotAnswer when the filesystem stalls.
 */
export abstract class GuestFiles {
  /** Everything in a folder, in no order. Throws FolderTooLarge, too. */
  abstract list(place: GuestPlace, path: Buffer): Promise<readonly GuestEntry[]>;
  abstract info(place: GuestPlace, path: Buffer): Promise<GuestEntry>;
  /** The file's bytes, or those of a range. A read that fails in the middle is an error of the stream, never its end. */
  abstract open(place: GuestPlace, path: Buffer, range?: ByteRange): Promise<Readable>;
  /**
   * A folder with everything in it as one archive, whose only folder is called `name`. Links stay links; what can't be stored
   * is named in a file at the archive's end. An archive that isn't whole is an error of the stream, never its end.
   */
  abstract archive(place: GuestPlace, path: Buffer, format: ArchiveFormat, name: Buffer): Promise<Readable>;
}
