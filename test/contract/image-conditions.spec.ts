import { statSync, truncateSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { PosixImageConditions } from '#platform/qemu/posix.image-conditions';

import { DiskWorld, run } from '../kit/disk-world.js';

const MIB = 1024 * 1024;
const SIZE = 16 * MIB;

describe('the condition of a chain', () => {
  let world: DiskWorld;
  let fileSizesBytes: number[];

  beforeEach(() => {
    world = new DiskWorld();
    create('base');
    run('qemu-io', '-f', 'qcow2', '-c', 'write -P 170 0 8M', file('base'));
    create('head', 'base');
    fileSizesBytes = ['base', 'head'].map((name) => statSync(file(name)).size);
  });
  afterEach(() => world.clear());

  const file = (name: string) => `${world.root}/${name}.qcow2`;
  const create = (name: string, backing?: string) => {
    const on = backing === undefined ? [] : ['-u', '-b', `${backing}.qcow2`, '-F', 'qcow2'];
    run('qemu-img', 'create', '-q', '-f', 'qcow2', ...on, file(name), String(SIZE));
  };
  const condition = (sizeBytes = SIZE) =>
    new PosixImageConditions().of(world.root, {
      backupId: 'point',
      sizeBytes,
      changeId: null,
      manifestSha256: null,
      layers: ['base.qcow2', 'head.qcow2'],
      fileSizesBytes,
    });

  it('is intact when every layer is what it was', async () => {
    expect(await condition()).toBe('intact');
  });

  it.each([5 * MIB, 200])(
    'is unreadable when a layer was cut off at %d bytes: it would read as zeros',
    async (bytes) => {
      truncateSync(file('base'), bytes);
      expect(await condition()).toBe('unreadable');
    },
  );

  it('is unreadable when its images have another size than the disk', async () => {
    expect(await condition(SIZE + MIB)).toBe('unreadable');
  });
});
