import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';

import type { ManifestFile, ManifestOther } from './manifest.js';

/** A path inside of a guest, without a leading slash; bytes where it isn't text. */
export type GuestPath = string | Buffer;

const run = promisify(execFile);
const WRITTEN_AT = new Date('2024-05-01T12:00:00Z');

/** A guest's files while they are put together in a folder of the host; it keeps account of what was put there. */
export class GuestTree {
  readonly files: ManifestFile[] = [];
  readonly others: ManifestOther[] = [];

  constructor(private readonly root: string) {}

  folder(path: GuestPath): void {
    mkdirSync(this.onHost(path), { recursive: true });
    this.others.push({ path: encoded(path), type: 'folder' });
  }

  file(path: GuestPath, content: Buffer | string): void {
    const bytes = Buffer.from(content);
    writeFileSync(this.onHost(path), bytes);
    this.account(path, bytes);
  }

  /** A file of `size` bytes that is a hole but for the pieces, which are given by their offsets. */
  sparseFile(path: GuestPath, size: number, pieces: ReadonlyMap<number, Buffer>): void {
    const whole = Buffer.alloc(size);
    const descriptor = openSync(this.onHost(path), 'w');
    try {
      ftruncateSync(descriptor, size);
      for (const [offset, piece] of pieces) {
        piece.copy(whole, offset);
        writeSync(descriptor, piece, 0, piece.length, offset);
      }
    } finally {
      closeSync(descriptor);
    }
    this.account(path, whole);
  }

  symlink(path: GuestPath, target: string): void {
    symlinkSync(target, this.onHost(path));
    this.others.push({ path: encoded(path), type: 'symlink', target: Buffer.from(target).toString('base64') });
  }

  hardLink(path: GuestPath, existing: GuestPath): void {
    linkSync(this.onHost(existing), this.onHost(path));
    const original = this.files.find((file) => file.path === encoded(existing));
    if (original !== undefined) this.files.push({ ...original, path: encoded(path) });
  }

  async fifo(path: string): Promise<void> {
    await run('mkfifo', [this.onHost(path).toString()]);
    this.others.push({ path: encoded(path), type: 'fifo' });
  }

  /** A character device like /dev/zero; only the administrator can make one, so for others the guest has none. */
  async device(path: string): Promise<void> {
    if (process.getuid?.() !== 0) return;
    await run('mknod', [this.onHost(path).toString(), 'c', '1', '5']);
    this.others.push({ path: encoded(path), type: 'device' });
  }

  private account(path: GuestPath, bytes: Buffer): void {
    utimesSync(this.onHost(path), WRITTEN_AT, WRITTEN_AT);
    this.files.push({
      path: encoded(path),
      size: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
  }

  private onHost(path: GuestPath): Buffer {
    return Buffer.concat([Buffer.from(`${this.root}/`), Buffer.from(path)]);
  }
}

function encoded(path: GuestPath): string {
  return Buffer.concat([Buffer.from('/'), Buffer.from(path)]).toString('base64');
}
