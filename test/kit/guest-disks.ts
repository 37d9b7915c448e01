import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { run } from './disk-world.js';

export const MIB = 1024 * 1024;

/** A folder with everything a guest may put into a path. */
export function hostileTree(folder: string): string {
  mkdirSync(join(folder, 'documents', 'deep', 'deeper'), { recursive: true });
  mkdirSync(join(folder, 'empty'));
  writeFileSync(join(folder, 'hello.txt'), 'hello\n', { mode: 0o640 });
  writeFileSync(join(folder, 'documents', 'deep', 'deeper', 'end.txt'), 'the end');
  writeFileSync(bytesPath(folder, Buffer.from([0x61, 0xff, 0x62])), 'not UTF-8');
  writeFileSync(join(folder, 'two\nlines'), 'newline');
  writeFileSync(join(folder, 'big.bin'), Buffer.alloc(3 * MIB, 'oma'));
  const sparse = openSync(join(folder, 'sparse.bin'), 'w');
  ftruncateSync(sparse, 20 * MIB);
  writeSync(sparse, 'tail', 20 * MIB - 4);
  closeSync(sparse);
  symlinkSync('/etc/passwd', join(folder, 'passwd-link'));
  symlinkSync('../../../../../../../../etc', join(folder, 'etc-link'));
  symlinkSync('hello.txt', join(folder, 'inner-link'));
  symlinkSync('nowhere', join(folder, 'dangling'));
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  return folder;
}

/** A raw disk with one ext4 partition at 1 MiB, or the bare filesystem where `table` is null. Answers its place. */
export function extDisk(
  raw: string,
  tree: string,
  options: { table?: 'gpt' | 'dos' | null; sizeMib?: number; label?: string } = {},
): string {
  const { table = 'gpt', sizeMib = 64, label = 'data' } = options;
  mkdirSync(dirname(raw), { recursive: true });
  const offset = table === null ? 0 : MIB;
  const filesystemKib = (sizeMib * MIB - (table === null ? 0 : 2 * MIB)) / 1024;
  run('truncate', '-s', String(sizeMib * MIB), raw);
  run('mke2fs', '-q', '-F', '-t', 'ext4', '-L', label, '-d', tree, '-E', `offset=${offset}`, raw, `${filesystemKib}k`);
  debugfs(raw, offset, 'mknod device b 8 0');
  if (table !== null) {
    const script = `label: ${table}\nstart=2048, size=${filesystemKib * 2}\n`;
    execFileSync('sfdisk', ['-q', '--no-reread', raw], { input: script, stdio: 'pipe' });
  }
  return raw;
}

/** Puts the raw disk into a QCOW2 image of the kind that OMA writes. */
export function asImage(raw: string, image: string): string {
  mkdirSync(dirname(image), { recursive: true });
  run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-o', 'lazy_refcounts=on', raw, image);
  return image;
}

/** Runs commands of debugfs that write into the filesystem at the offset. */
export function debugfs(raw: string, offset: number, ...commands: readonly string[]): void {
  execFileSync('debugfs', ['-w', '-f', '-', `${raw}?offset=${offset}`], { input: commands.join('\n'), stdio: 'pipe' });
}

/**
 * Leaves the filesystem as a machine does that loses its power: the file `name` is complete in the journal, and its blocks
 * are not at their places yet.
 */
export function leaveInJournal(raw: string, offset: number, name: string, content: string): void {
  const later = `${raw}.later`;
  copyFileSync(raw, later);
  writeFileSync(`${raw}.content`, content);
  debugfs(later, offset, `write ${raw}.content ${name}`);
  const blockBytes = Number(/^Block size:\s+(\d+)$/m.exec(run('dumpe2fs', '-h', `${raw}?offset=${offset}`))?.[1]);
  const [before, after] = [readFileSync(raw).subarray(offset), readFileSync(later).subarray(offset)];
  const superblock = Math.floor(1024 / blockBytes);
  const changed: number[] = [];
  for (let block = 0; block * blockBytes < before.length; block += 1) {
    const [from, to] = [block * blockBytes, (block + 1) * blockBytes];
    if (block !== superblock && !before.subarray(from, to).equals(after.subarray(from, to))) changed.push(block);
  }
  const blocks = changed.map((block) => after.subarray(block * blockBytes, (block + 1) * blockBytes));
  writeFileSync(`${raw}.blocks`, Buffer.concat(blocks));
  debugfs(raw, offset, 'jo', `jw -b ${changed.join(',')} ${raw}.blocks`, 'jc');
}

export function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function bytesPath(folder: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), name]);
}
