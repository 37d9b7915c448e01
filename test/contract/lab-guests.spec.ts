import { readFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { DiskManifest } from '#lab/guests/manifest';

import { run } from '../kit/disk-world.js';
import { KIB64, LabCopies, MIB, tinyVm } from '../kit/lab-copies.js';

describe('a guest of the lab', () => {
  let copies: LabCopies;
  beforeEach(() => {
    copies = new LabCopies();
  });
  afterEach(() => copies.clear());

  describe('with files', () => {
    beforeEach(async () => {
      const [vm] = tinyVm();
      const partitions = [
        {
          kind: 'ext4' as const,
          sizeMib: 6,
          plant: (tree: { folder(path: string): void; file(path: string, content: string): void }) => {
            tree.folder('etc/deep');
            tree.file('etc/hosts', 'before');
            tree.file('etc/deep/gone', 'gone');
            tree.file('kept file', 'kept');
          },
        },
      ];
      await copies.start({ vms: [{ ...vm!, disks: [{ deviceKey: 2000, sizeMib: 8, partitions }] }] });
    });

    const manifest = () => JSON.parse(readFileSync(copies.vm.disks[0]!.manifestFile, 'utf8')) as DiskManifest;
    const paths = () => manifest().files.map(({ path }) => Buffer.from(path, 'base64').toString());
    const cat = (image: string, path: string) => run('debugfs', '-R', `cat "${path}"`, `${image}?offset=${MIB}`);

    it('writes and removes files, and its manifest says so', async () => {
      await copies.guest().changeFiles({
        write: { '/etc/hosts': 'after', 'new folder/deeper/ü.txt': Buffer.from('new'), '/etc/empty': '' },
        remove: ['/etc/deep/gone'],
      });
      const now = await copies.now('now');
      expect(paths().sort()).toEqual(['/etc/empty', '/etc/hosts', '/kept file', '/new folder/deeper/ü.txt']);
      expect(cat(now, '/etc/hosts')).toBe('after');
      expect(cat(now, '/new folder/deeper/ü.txt')).toBe('new');
      expect(cat(now, '/kept file')).toBe('kept');
      expect(run('debugfs', '-R', 'ls -p /etc/deep', `${now}?offset=${MIB}`)).not.toContain('gone');
      expect(manifest().files.find(({ path }) => path === Buffer.from('/etc/hosts').toString('base64'))).toMatchObject({
        size: 5,
        sha256: 'f39592393ef0859cb196a52693d2cea00fb2df784b3c04ae54aa7cadb8e562f8',
      });
      expect(manifest().others.map(({ path }) => Buffer.from(path, 'base64').toString())).toEqual([
        '/etc/deep',
        '/new folder',
        '/new folder/deeper',
      ]);
      run('dd', `if=${now}`, `of=${copies.path('partition')}`, 'bs=1M', 'skip=1', 'count=6', 'status=none');
      run('e2fsck', '-fn', copies.path('partition'));
    });

    it('has the changes of its files in the next increment, and only them', async () => {
      const full = await copies.full('full');
      await copies.guest().changeFiles({ write: { '/etc/hosts': 'after' } });
      const next = await copies.image(undefined, full.image.file);
      const told = await copies.backUp('next', { image: next, base: full.changeId });
      expect(told.total_bytes).toBeGreaterThan(0);
      expect(told.total_bytes).toBeLessThan(2 * MIB);
      expect(copies.holds(next, await copies.now('now'))).toBe(true);
    });

    it('changes nothing when something of it is not possible', async () => {
      const before = readFileSync(await copies.now('before'));
      for (const [changes, words] of [
        [{ remove: ['/nothing'] }, 'there is no file /nothing'],
        [{ write: { '/a"b': 'x' } }, 'a path holds no quotes'],
        [{ write: { '/line\nbreak': 'x' } }, 'a path holds no quotes'],
        [{ write: { '/too-big': Buffer.alloc(16 * MIB, 1) } }, 'Could not allocate block'],
        [{ write: { '/kept file/below': 'x' } }, 'not a directory'],
      ] as const) {
        await expect(copies.guest().changeFiles(changes)).rejects.toThrow(words);
      }
      expect(readFileSync(await copies.now('after')).equals(before)).toBe(true);
      expect(paths()).toContain('/kept file');
    });
  });

  describe('without partitions', () => {
    beforeEach(() => copies.start());

    it('has the same bytes each time, and no partition table', async () => {
      const now = readFileSync(await copies.now('now'));
      expect(now).toHaveLength(2 * MIB);
      await copies.lab.stop();
      const other = new LabCopies();
      await other.start();
      expect(readFileSync(await other.now('now')).equals(now)).toBe(true);
      await other.clear();
    });

    it('writes nothing beyond its disk, and has no other disks', async () => {
      await expect(copies.guest().write(2 * MIB - 1, Buffer.alloc(2))).rejects.toThrow(RangeError);
      await expect(copies.guest().zero(-1, 1)).rejects.toThrow(RangeError);
      await expect(copies.guest().resize(0)).rejects.toThrow(RangeError);
      await expect(copies.guest().changeFiles({ write: { '/a': 'a' } })).rejects.toThrow('no filesystem');
      expect(() => copies.guest(2007)).toThrow('there is no disk 2007');
    });

    it('can be moved by scripts', async () => {
      const { changeId } = await copies.full('full');
      const move = async (action: string, more: object = {}) => {
        const disk = { vm_path: copies.vm.path, device_key: 2000 };
        const answer = await copies.call('POST', `/lab/guest/${action}`, { ...disk, ...more });
        return answer.status;
      };
      expect(await move('resize', { size_bytes: 3 * MIB })).toBe(200);
      expect(await move('write', { offset: 0, base64: Buffer.from('hello').toString('base64') })).toBe(200);
      expect(await move('zero', { offset: KIB64, length: 10 })).toBe(200);
      expect(await move('discard', { offset: MIB, length: KIB64 })).toBe(200);
      expect(await move('snapshot-copy', { to_file: copies.path('copy') })).toBe(200);
      const copy = readFileSync(copies.path('copy'));
      expect(copy).toHaveLength(3 * MIB);
      expect(copy.subarray(0, 5).toString()).toBe('hello');
      expect(copy.subarray(KIB64, KIB64 + 10).equals(Buffer.alloc(10))).toBe(true);
      const image = await copies.image();
      expect(await copies.backUp('next', { image, base: changeId })).toMatchObject({ total_bytes: MIB + 3 * KIB64 });
      expect(await move('reset-tracking')).toBe(200);
      expect(await move('tracking', { on: false })).toBe(200);
      expect(await move('write', { offset: 3 * MIB, base64: 'AA==' })).toBe(400);
      expect(await move('write', { offset: 0, base64: 'AA==', more: 1 })).toBe(400);
      expect(await move('change-files', { write: { '/a': 'AA==' } })).toBe(400);
      expect(await move('dance')).toBe(400);
    });
  });
});
