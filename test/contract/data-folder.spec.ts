import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { GeneratedFirstPassword } from '#platform/auth/generated.first-password';
import { InstanceLock } from '#platform/database/instance-lock';
import { newStartIn } from '#platform/instances/instance-id';
import { masterKey } from '#platform/secrets/master-key';

import { SmallFilesystem } from '../kit/small-filesystem.js';

const isForOthers = (path: string) => (statSync(path).mode & 0o077) !== 0;

describe('what OMA keeps in its data folder', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'oma-data-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const mayMake = () => Promise.resolve(true);
  const firstPassword = (dataDir: string) =>
    new GeneratedFirstPassword(undefined, dataDir, { isTerminal: false, say: () => undefined }).choose(mayMake);
  const keepAll = async (dataDir: string) => {
    const lock = InstanceLock.take(dataDir);
    try {
      await masterKey(dataDir, undefined, mayMake);
      await newStartIn(dataDir);
      await firstPassword(dataDir);
      return readdirSync(dataDir);
    } finally {
      lock.release();
    }
  };

  it('is for its owner alone, whatever the umask says', async () => {
    const before = process.umask(0);
    try {
      const dataDir = join(folder, 'data');
      const names = await keepAll(dataDir);
      expect(names.toSorted()).toEqual(['admin-password', 'instance-id', 'master-key', 'oma.lock']);
      expect(isForOthers(dataDir)).toBe(false);
      const files = readdirSync(dataDir).map((name) => join(dataDir, name));
      expect(files.filter(isForOthers)).toEqual([]);
    } finally {
      process.umask(before);
    }
  });

  it('is for its owner alone also where a file that others may read had that name', async () => {
    writeFileSync(join(folder, 'admin-password'), 'of an earlier start\n', { mode: 0o644 });
    await firstPassword(folder);
    expect(readFileSync(join(folder, 'admin-password'), 'utf8')).not.toContain('earlier');
    expect(isForOthers(join(folder, 'admin-password'))).toBe(false);
  });

  it('is whole or not there when the disk is full, and is made when there is room again', async () => {
    const small = new SmallFilesystem(folder, 8);
    try {
      const dataDir = join(small.path, 'data');
      mkdirSync(dataDir);
      small.fill();
      expect(() => InstanceLock.take(dataDir)).toThrow('ENOSPC');
      await expect(masterKey(dataDir, undefined, mayMake)).rejects.toThrow('ENOSPC');
      await expect(newStartIn(dataDir)).rejects.toThrow('ENOSPC');
      await expect(firstPassword(dataDir)).rejects.toThrow('ENOSPC');
      expect(readdirSync(dataDir).filter((name) => !name.endsWith('.part'))).toEqual([]);
      for (const name of readdirSync(small.path)) if (name.startsWith('filler')) rmSync(join(small.path, name));
      await expect(keepAll(dataDir)).resolves.toHaveLength(4);
      expect(readdirSync(dataDir).toSorted()).toEqual(['admin-password', 'instance-id', 'master-key']);
    } finally {
      small.clear();
    }
  });

  it('is not taken for missing because it can not be read', async () => {
    mkdirSync(join(folder, 'master-key'));
    for (const may of [true, false]) {
      await expect(masterKey(folder, undefined, () => Promise.resolve(may))).rejects.toMatchObject({
        exitCode: 78,
        message: expect.stringContaining("master-key can't be read (EISDIR)"),
      });
    }
  });
});
