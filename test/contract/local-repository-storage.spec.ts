import { existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { PosixLocalRepositoryStorage } from '#platform/repositories/posix.local-repository-storage';
import { repositoryExecutors } from '#platform/repositories/preflight.executor';

import { DiskWorld, effectContext, run } from '../kit/disk-world.js';

describe('the storage of local repositories', () => {
  const storage = new PosixLocalRepositoryStorage();
  let world: DiskWorld;
  beforeEach(() => {
    world = new DiskWorld();
  });
  afterEach(async () => {
    await world.clear();
  });

  it('prepares a folder, marks it, and may be asked again', async () => {
    const path = world.path('new', 'repository');
    expect(await storage.prepare(`${path}/`)).toBe(path);
    expect(await storage.prepare(path)).toBe(path);
    expect(readdirSync(path)).toEqual(['.oma-repository']);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it.each(['/', '/etc', '/etc/oma', '/proc/1', '/usr/../etc/x', '/home', '/tmp', '/tmp/../sys/x'])(
    'refuses the system directory %s',
    async (path) => {
      await expect(storage.prepare(path)).rejects.toMatchObject({ fault: 'system-directory' });
    },
  );

  it('refuses a link into a system directory before it makes anything there', async () => {
    symlinkSync('/etc', world.path('link'));
    await expect(storage.prepare(world.path('link', 'oma-test'))).rejects.toMatchObject({ fault: 'system-directory' });
    expect(existsSync('/etc/oma-test')).toBe(false);
  });

  it('refuses a folder in which OMA itself works, also through a link', async () => {
    const careful = new PosixLocalRepositoryStorage([world.path('inner')]);
    mkdirSync(world.path('inner'));
    symlinkSync(world.path('inner'), world.path('link'));
    for (const path of [world.path('inner'), world.path('inner', 'mounts', 'mine'), world.path('link', 'mine')]) {
      await expect(careful.prepare(path)).rejects.toMatchObject({ fault: 'own-directory' });
    }
    expect(readdirSync(world.path('inner'))).toEqual([]);
    expect(await careful.prepare(world.path('inner-not'))).toBe(world.path('inner-not'));
  });

  it('refuses a relative path, a file, and a place beneath a file', async () => {
    writeFileSync(world.path('file'), '');
    await expect(storage.prepare('repository')).rejects.toMatchObject({ fault: 'not-absolute' });
    await expect(storage.prepare(world.path('file'))).rejects.toMatchObject({ fault: 'not-a-directory' });
    await expect(storage.prepare(world.path('file', 'x'))).rejects.toMatchObject({ fault: 'not-a-directory' });
  });

  it('measures the space as df does', async () => {
    const columns = 'size,used,avail,pcent';
    const df = run('df', '-B1', `--output=${columns}`, world.root).split('\n')[1]?.trim().split(/\s+/).map(parseFloat);
    const capacity = await storage.capacity(world.root);
    expect(capacity.totalBytes).toBe(df?.[0]);
    expect(Math.abs(capacity.availableBytes - (df?.[2] ?? 0))).toBeLessThan(1e9);
    expect(Math.abs(capacity.usedPercent - (df?.[3] ?? 0))).toBeLessThanOrEqual(1);
    writeFileSync(world.path('file'), '');
    await expect(storage.capacity(world.path('nowhere'))).rejects.toMatchObject({ fault: 'missing' });
    await expect(storage.capacity(world.path('file'))).rejects.toMatchObject({ fault: 'missing' });
  });

  describe('the preflight of a backup', () => {
    const preflight = (neededBytes: number) => {
      const [executor] = repositoryExecutors(storage);
      return executor?.execute({ root: world.root, neededBytes }, effectContext());
    };

    it('answers the space of a prepared repository and leaves nothing in it', async () => {
      await storage.prepare(world.root);
      expect(await preflight(1)).toEqual({ availableBytes: expect.any(Number) });
      expect(readdirSync(world.root)).toEqual(['.oma-repository']);
    });

    it('fails without space, mark or folder', async () => {
      rmSync(world.path('repository', '.oma-repository'));
      await expect(preflight(1)).rejects.toMatchObject({ failure: { code: 'repository-not-marked' } });
      await storage.prepare(world.root);
      await expect(preflight(Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({
        certainty: 'permanent',
        failure: { code: 'repository-full' },
      });
      rmSync(world.root, { recursive: true });
      await expect(preflight(1)).rejects.toMatchObject({ failure: { code: 'repository-missing' } });
    });
  });
});
