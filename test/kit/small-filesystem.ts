import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A real filesystem of a given size, in user space, that a test can fill up. */
export class SmallFilesystem {
  readonly path: string;
  private readonly image: string;

  constructor(folder: string, sizeMib: number) {
    this.path = join(folder, 'small');
    this.image = join(folder, 'small.img');
    mkdirSync(this.path);
    execFileSync('truncate', ['-s', `${sizeMib}M`, this.image]);
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-m', '0', this.image]);
    execFileSync('fuse2fs', [this.image, this.path, '-o', 'rw,fakeroot']);
  }

  /** Takes all space that is left. */
  fill(): void {
    const block = Buffer.alloc(1024 * 1024, 1);
    for (const [index, piece] of [block, block.subarray(0, 4096)].entries()) {
      for (let number = 0; this.write(`filler-${index}-${number}`, piece); number += 1);
    }
  }

  private write(name: string, bytes: Buffer): boolean {
    try {
      writeFileSync(join(this.path, name), bytes);
      return true;
    } catch {
      return false;
    }
  }

  clear(): void {
    execFileSync('fusermount3', ['-u', '-z', this.path]);
    rmSync(this.image, { force: true });
  }
}
