import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { ArchiveFormat } from '#platform/filesystems/archive-format';
import { builtProgram } from '#platform/processes/built-program';

const FORMATS: readonly ArchiveFormat[] = ['zip', 'tar.gz'];
/** What no ZIP has room for: 270 folders of 250 bytes, each in the one before. */
const TOO_DEEP = `
import os, sys
os.chdir(sys.argv[1])
for _ in range(270):
    os.mkdir('d' * 250)
    os.chdir('d' * 250)
open('bottom', 'w').close()
`;
const UNZIP = `
import os, stat, sys, zipfile
for one in zipfile.ZipFile(sys.argv[1]).infolist():
    if '/deep/d' in one.filename:
        continue
    if stat.S_ISLNK(one.external_attr >> 16):
        os.symlink(zipfile.ZipFile(sys.argv[1]).read(one), os.path.join(sys.argv[2], one.filename))
    else:
        zipfile.ZipFile(sys.argv[1]).extract(one, sys.argv[2])
`;

describe('the archive of a folder', () => {
  let folder: string;
  let guest: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'oma-archives-'));
    guest = join(folder, 'guest');
    mkdirSync(join(guest, 'empty'), { recursive: true });
    writeFileSync(join(guest, 'file'), 'content');
    linkSync(join(guest, 'file'), join(guest, 'same-file'));
    writeFileSync(join(guest, 'another'), 'content');
    linkSync(join(guest, 'another'), join(guest, 'z-same-another'));
    symlinkSync('file', join(guest, 'link'));
    symlinkSync('/etc/passwd', join(guest, 'link-outside'));
    symlinkSync('nowhere', join(guest, 'link-dangling'));
    symlinkSync('ü'.repeat(120), join(guest, 'link-long'));
    symlinkSync(Buffer.from('to-\xff', 'latin1'), join(guest, 'link-of-bytes'));
    writeFileSync(join(guest, '%FF'), 'text');
    writeFileSync(Buffer.concat([Buffer.from(`${guest}/`), Buffer.from([0xff])]), 'byte');
    mkdirSync(join(guest, 'deep'));
    execFileSync('python3', ['-c', TOO_DEEP, join(guest, 'deep')]);
  });
  afterAll(() => {
    // Node stumbles over paths this long.
    execFileSync('rm', ['-rf', folder]);
  });

  /** What `format` makes of a folder, unpacked. */
  const unpacked = (format: ArchiveFormat, root = guest): string => {
    const request = { format, components: [], name: Buffer.from('top').toString('base64') };
    const program = builtProgram('filesystems/guest-archiver.main.js');
    const made = spawnSync(process.execPath, [program, `--root=${root}`], {
      input: JSON.stringify(request),
      maxBuffer: 2 ** 30,
    });
    expect({ status: made.status, stderr: String(made.stderr) }).toEqual({ status: 0, stderr: '' });
    const archive = join(folder, `archive.${format}`);
    writeFileSync(archive, made.stdout.subarray(made.stdout.indexOf('\n') + 1));
    const into = mkdtempSync(join(folder, 'unpacked-'));
    if (format === 'zip') execFileSync('python3', ['-c', UNZIP, archive, into]);
    // The paths below `deep` fit into the archive and into no call of the system.
    else execFileSync('tar', ['xzpf', archive, '-C', into, '--exclude=*/deep/*']);
    return into;
  };

  it.each(FORMATS)('keeps links as links and empty folders, and names what it can not keep: %s', (format) => {
    const into = unpacked(format);
    const top = join(into, 'top');
    expect(readlinkSync(join(top, 'link'))).toBe('file');
    expect(readlinkSync(join(top, 'link-outside'))).toBe('/etc/passwd');
    expect(readlinkSync(join(top, 'link-dangling'))).toBe('nowhere');
    expect(readlinkSync(join(top, 'link-long'))).toBe('ü'.repeat(120));
    expect(readdirSync(join(top, 'empty'))).toEqual([]);
    expect(existsSync(join(top, 'link-of-bytes'))).toBe(false);
    const trailer = readFileSync(join(into, 'oma-not-included.txt'), 'utf8');
    expect(trailer).toContain("top/link-of-bytes: it is a link whose target isn't text");
    expect(trailer).toMatch(/^top\/deep\/.*: the paths of 1 of its entries are too long for an archive$/m);
  });

  it.each(FORMATS)('names a file that can not be read, and has or names the others: %s', (format) => {
    const damaged = mkdtempSync(join(folder, 'damaged-'));
    const tree = join(damaged, 'tree');
    const image = join(damaged, 'image');
    const mounted = join(damaged, 'mounted');
    mkdirSync(tree);
    mkdirSync(mounted);
    for (const name of ['a-good', 'z-good']) writeFileSync(join(tree, name), name);
    writeFileSync(join(tree, 'bad'), Buffer.alloc(300_000, 'bad'));
    writeFileSync(image, '');
    truncateSync(image, 8 * 1024 * 1024);
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-d', tree, image]);
    // Where its content is can't be told any more.
    execFileSync('debugfs', ['-w', '-R', 'set_inode_field bad block[0] 0', image], { stdio: 'ignore' });
    execFileSync('fuse2fs', [image, mounted, '-o', 'ro,fakeroot']);
    try {
      const into = unpacked(format, mounted);
      const trailer = readFileSync(join(into, 'oma-not-included.txt'), 'utf8');
      expect(trailer).toContain("top/bad: it can't be read (EIO)\n");
      expect(existsSync(join(into, 'top', 'bad'))).toBe(false);
      // After an error fuse2fs may refuse what comes next, too.
      for (const name of ['a-good', 'z-good']) {
        const file = join(into, 'top', name);
        if (existsSync(file)) expect(readFileSync(file, 'utf8')).toBe(name);
        else expect(trailer).toContain(`top/${name}: it can't be read`);
      }
    } finally {
      execFileSync('fusermount3', ['-u', mounted]);
    }
  });

  it.each(FORMATS)('gives names that differ in the guest different places: %s', (format) => {
    const top = join(unpacked(format), 'top');
    expect(readFileSync(join(top, '%25FF'), 'utf8')).toBe('text');
    expect(readFileSync(join(top, '%FF'), 'utf8')).toBe('byte');
  });

  it.each(FORMATS)('has the content of a file under each of its names: %s', (format) => {
    const top = join(unpacked(format), 'top');
    for (const name of ['file', 'same-file', 'another', 'z-same-another']) {
      expect(readFileSync(join(top, name), 'utf8')).toBe('content');
    }
    const inodes = ['file', 'same-file', 'another', 'z-same-another'].map((name) => lstatSync(join(top, name)).ino);
    // ZIP knows no second names of a file: there each has a copy.
    expect(new Set(inodes).size).toBe(format === 'zip' ? 4 : 2);
  });
});
