import { describe, expect, it } from '@jest/globals';

import { replay } from '../kernel/decider.js';
import { MountIsGone, NothingReadable } from './mount.errors.js';
import { mount, type MountCommand, type MountedPartition, type MountEvent, type MountPlan } from './mount.js';

const plan: MountPlan = {
  mountId: 'm',
  backupId: 'b',
  contextId: 'ctx',
  vmName: 'web-01',
  diskId: 0,
  root: '/srv',
  layers: [],
  image: 'ctx/disk-0/b.qcow2',
  idleSeconds: 60,
};
const about = { sizeBytes: 1, filesystem: 'ext4', label: null, uuid: null };
const good: MountedPartition = { ...about, number: 1, state: 'mounted', replayedJournal: false };
const bad: MountedPartition = { ...about, number: 2, state: 'unreadable', reason: 'its superblock is damaged' };
const requested: MountEvent = { type: 'MountRequested', data: plan };
const opened: MountEvent = { type: 'MountOpened', data: { mountId: 'm', partitions: [good] } };
const end = { mountId: 'm', step: null, code: 'x', message: 'x', remedy: null, leftovers: [] };

const decide = (history: MountEvent[], command: MountCommand) => mount.decide(command, replay(mount, history));
const markOpened = (...partitions: MountedPartition[]): MountCommand => ({
  type: 'MarkOpened',
  mountId: 'm',
  partitions,
});

describe('a mount', () => {
  it('is open when one of its partitions is', () => {
    expect(decide([requested], markOpened(good, bad))).toEqual([
      { type: 'MountOpened', data: { mountId: 'm', partitions: [good, bad] } },
    ]);
  });

  it('is refused when nothing can be read, naming which partition and why', () => {
    expect(() => decide([requested], markOpened(bad))).toThrow(NothingReadable);
    expect(() => decide([requested], markOpened(bad))).toThrow('partition 2: its superblock is damaged');
    expect(() => decide([requested], markOpened())).toThrow(/no partition and no filesystem/);
  });

  it('closes when asked, once', () => {
    const close: MountCommand = { type: 'RequestUnmount', mountId: 'm', why: 'somebody asked' };
    const [closing] = decide([requested, opened], close);
    expect(closing?.type).toBe('UnmountRequested');
    expect(decide([requested, opened, closing!], close)).toEqual([]);
    expect(() => decide([requested, opened, closing!, { type: 'MountClosed', data: end }], close)).toThrow(MountIsGone);
  });

  it('is not opened any more once it is closing', () => {
    const closing: MountEvent = { type: 'UnmountRequested', data: { mountId: 'm', why: '' } };
    expect(decide([requested, closing], markOpened(good))).toEqual([]);
  });
});
