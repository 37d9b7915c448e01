import { describe, expect, it } from '@jest/globals';

import { IncrementalNotPossible } from './backup.errors.js';
import { type ChainHead, chooseModes, type DiskFacts, MAX_LAYERS } from './disk-mode.js';

const head: ChainHead = {
  backupId: 'point',
  sizeBytes: 1000,
  changeId: 'a/7',
  manifestSha256: 'hash',
  layers: ['full.qcow2', 'point.qcow2'],
  fileSizesBytes: [1, 1],
};
const facts = (changes: Partial<DiskFacts> = {}): DiskFacts => ({
  diskId: 0,
  sizeBytes: 1000,
  head,
  pointsDamaged: false,
  tracking: 'valid',
  condition: 'intact',
  ...changes,
});
const increment = {
  is: 'incremental',
  parent: { backupId: 'point', changeId: 'a/7', manifestSha256: 'hash', layers: head.layers },
};
const reasons: readonly (readonly [string, Partial<DiskFacts>])[] = [
  ['no-restore-point', { head: null }],
  ['restore-points-damaged', { head: null, pointsDamaged: true }],
  ['parent-missing', { condition: 'missing' }],
  ['parent-unreadable', { condition: 'unreadable' }],
  ['parent-altered', { condition: 'altered' }],
  ['disk-resized', { sizeBytes: 2000 }],
  ['no-change-id', { head: { ...head, changeId: null } }],
  ['no-manifest', { head: { ...head, manifestSha256: null } }],
  ['change-tracking-reset', { tracking: 'reset' }],
  ['change-tracking-off', { tracking: 'off' }],
  ['chain-too-long', { head: { ...head, layers: Array.from({ length: MAX_LAYERS }, String) } }],
];

describe('how a disk is copied', () => {
  it('is whole when that is asked for, whatever could be done', () => {
    expect(chooseModes('full', [facts()])).toEqual([{ is: 'full', because: 'asked-for' }]);
  });

  it.each(['incremental', 'auto'] as const)('is an increment on the newest good point: %s', (asked) => {
    expect(chooseModes(asked, [facts()])).toEqual([increment]);
  });

  it('trusts the bookmark of an agent that cannot be asked whether it still holds', () => {
    expect(chooseModes('auto', [facts({ tracking: 'unknown' })])).toEqual([increment]);
  });

  it.each(reasons)('falls back to the whole disk with the reason: %s', (because, changes) => {
    expect(chooseModes('auto', [facts(changes)])).toEqual([{ is: 'full', because }]);
  });

  it.each(reasons)('refuses an increment that was demanded: %s', (because, changes) => {
    expect(() => chooseModes('incremental', [facts(changes)])).toThrow(IncrementalNotPossible);
    expect(() => chooseModes('incremental', [facts(changes)])).toThrow(because);
  });

  it('is decided disk by disk', () => {
    const disks = [facts(), facts({ diskId: 1, tracking: 'reset' })];
    expect(chooseModes('auto', disks)).toEqual([increment, { is: 'full', because: 'change-tracking-reset' }]);
    expect(() => chooseModes('incremental', disks)).toThrow('disk 1: change-tracking-reset');
  });
});
