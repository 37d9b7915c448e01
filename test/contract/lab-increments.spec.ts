import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { run } from '../kit/disk-world.js';
import { KIB64, LabCopies, MIB } from '../kit/lab-copies.js';
import { seededRandom } from '../kit/seeded-random.js';

const LARGE = 40 * MIB;

interface HashLine {
  readonly offset?: number;
  readonly length?: number;
  readonly sha256?: string;
  readonly zero?: boolean;
  readonly end?: boolean;
  readonly ranges?: number;
}

describe('increments of the lab', () => {
  let copies: LabCopies;
  beforeEach(async () => {
    copies = new LabCopies();
    await copies.start();
  });
  afterEach(() => copies.clear());

  const bytes = (length: number, fill = 0xab) => Buffer.alloc(length, fill);
  const tracking = async (base: string | null) => {
    const disks = [{ device_key: 2000, base_change_id: base }];
    const answer = await copies.call('POST', '/api/v1/backup/preflight', { ...copies.account(), disks });
    return ((await answer.json()) as { disks: { size_bytes: number; change_tracking: string }[] }).disks[0];
  };
  const hashes = async (jobId: string): Promise<readonly HashLine[]> => {
    const answer = await copies.call('GET', `/api/v1/backup/${jobId}/hashes/2000`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
    return (await answer.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as HashLine);
  };

  it('copy exactly the changed blocks, zeros and holes included, above the image before', async () => {
    const full = await copies.full('full');
    await copies.guest().write(3 * KIB64 - 1, bytes(2));
    await copies.guest().zero(10 * KIB64, KIB64);
    await copies.guest().discard(20 * KIB64, 2 * KIB64);
    const image = await copies.image(undefined, full.image.file);
    const told = await copies.backUp('increment', { image, base: full.changeId });
    expect(told).toMatchObject({
      mode: 'incremental',
      base_change_id: full.changeId,
      total_bytes: 5 * KIB64,
      bytes_transferred: 5 * KIB64,
      status: 'Completed',
    });
    expect(copies.holds(image, await copies.now('now'))).toBe(true);
    const map = JSON.parse(run('qemu-img', 'map', '--output=json', image.file)) as { depth: number; length: number }[];
    expect(map.filter(({ depth }) => depth === 0).reduce((sum, { length }) => sum + length, 0)).toBe(5 * KIB64);
  });

  it('count their change ids up within an epoch, and are empty when nothing changed', async () => {
    const { image, changeId } = await copies.full('full');
    expect(changeId).toMatch(/^([0-9a-f]{2} ){7}[0-9a-f]{2}-([0-9a-f]{2} ){7}[0-9a-f]{2}\/1$/);
    const told = await copies.backUp('nothing', {
      image: await copies.image(undefined, image.file),
      base: changeId,
    });
    expect(told).toMatchObject({ total_bytes: 0, bytes_transferred: 0, status: 'Completed' });
    expect(told.change_id).toBe(changeId.replace(/1$/, '2'));
  });

  it('hold the disk as it was when the backup began, whatever the guest writes meanwhile', async () => {
    // Large enough for the end not to be read yet while the copy stands still at its beginning.
    await copies.guest().resize(LARGE);
    await copies.guest().write(LARGE - 2 * MIB, bytes(2 * MIB, 1));
    copies.lab.misbehave({ hang_at_byte: 256 * 1024 });
    const image = await copies.image();
    await copies.begin('slow', [{ image }]);
    const before = await copies.now('before');
    await copies.guest().write(LARGE - MIB, bytes(MIB));
    await copies.guest().discard(0, 512 * 1024);
    await copies.guest().resize(LARGE - 2 * MIB + 100);
    await copies.guest().resize(LARGE + MIB);
    copies.lab.misbehave({});
    const [slow] = (await copies.whenOver('slow')).disk_progresses;
    await image.end();
    expect(copies.holds(image, before)).toBe(true);
    const next = await copies.image(undefined, image.file);
    await copies.backUp('next', { image: next, base: slow?.change_id ?? '' });
    expect(copies.holds(next, await copies.now('after'))).toBe(true);
  });

  it('hold what was a hole when the backup began as zeros', async () => {
    await copies.guest().resize(LARGE);
    copies.lab.misbehave({ hang_at_byte: 0 });
    const image = await copies.image();
    await copies.begin('slow', [{ image }]);
    const before = await copies.now('before');
    await copies.guest().write(LARGE - 6 * MIB, bytes(6 * MIB));
    copies.lab.misbehave({});
    await copies.whenOver('slow');
    await image.end();
    expect(copies.holds(image, before)).toBe(true);
  });

  it('are still possible after the lab was ended and begun again', async () => {
    const { image, changeId } = await copies.full('full');
    await copies.guest().write(5, bytes(5));
    await copies.restart();
    await copies.guest().write(MIB, bytes(5));
    const next = await copies.image(undefined, image.file);
    expect(await copies.backUp('next', { image: next, base: changeId })).toMatchObject({ total_bytes: 2 * KIB64 });
    expect(copies.holds(next, await copies.now('now'))).toBe(true);
  });

  it('are refused, and nothing is written, when tracking was reset', async () => {
    const { changeId } = await copies.full('full');
    expect(await tracking(changeId)).toMatchObject({ change_tracking: 'valid', size_bytes: 2 * MIB });
    expect(await tracking(changeId.replace(/1$/, '2'))).toMatchObject({ change_tracking: 'reset' });
    await copies.guest().write(0, bytes(KIB64));
    await copies.guest().resetTracking();
    expect(await tracking(changeId)).toMatchObject({ change_tracking: 'reset' });
    expect(await tracking(null)).toMatchObject({ change_tracking: 'none' });
    const image = await copies.image();
    await copies.begin('refused', [{ image, base: changeId }]);
    expect(await copies.whenOver('refused')).toMatchObject({
      status: 'failed',
      bytes_transferred: 0,
      last_error: 'change tracking was reset: disk 2000',
    });
  });

  it('are refused, and full backups have no change id, when tracking is off', async () => {
    const { changeId } = await copies.full('full');
    await copies.guest().tracking(false);
    expect(await tracking(changeId)).toMatchObject({ change_tracking: 'off' });
    expect(await copies.backUp('untracked', { image: await copies.image() })).toMatchObject({ change_id: null });
    await copies.begin('refused', [{ image: await copies.image(), base: changeId }]);
    expect((await copies.whenOver('refused')).last_error).toBe('change tracking was reset: disk 2000');
    await copies.guest().tracking(true);
    expect(await tracking(changeId)).toMatchObject({ change_tracking: 'reset' });
  });

  it('are refused without a base, or with a size that is no more', async () => {
    const image = await copies.image();
    const order = copies.order('refused', [{ image, base: 'x' }]);
    const [disk] = order.disks;
    const send = async (changes: object) => {
      const answer = await copies.call('POST', '/api/v1/backup/start', { ...order, disks: [{ ...disk, ...changes }] });
      return [answer.status, await answer.text()];
    };
    expect(await send({ base_change_id: null })).toEqual([400, expect.stringContaining('base_change_id is required')]);
    await copies.guest().resize(MIB);
    expect(await send({})).toEqual([500, `disk 2000 has ${MIB} bytes, not ${2 * MIB}\n`]);
  });

  it('tell of the disks that the VM has, when asked beforehand about others', async () => {
    const disks = [{ device_key: 2007, base_change_id: null }];
    const ask = (changes: object) =>
      copies.call('POST', '/api/v1/backup/preflight', { ...copies.account(), disks, ...changes });
    expect(await (await ask({})).json()).toMatchObject({ disks: [{ device_key: 2000, change_tracking: 'none' }] });
    expect((await ask({ disks: [] })).status).toBe(400);
    expect((await ask({ vcenter_password: 'wrong' })).status).toBe(500);
    expect((await ask({ vm_path: '/Lab/vm/nothing' })).status).toBe(500);
  });

  it('can be told by the capabilities', async () => {
    const health = (await (await copies.call('GET', '/api/v1/health')).json()) as object;
    expect(health).toMatchObject({ capabilities: ['disks', 'stop', 'preflight', 'hashes'] });
  });

  it('come with the hashes of what was read, cut at 4 MiB and between zeros and data', async () => {
    await copies.guest().resize(9 * MIB + 512);
    await copies.guest().write(9 * MIB, bytes(512, 7));
    await copies.full('full');
    const lines = await hashes('full');
    const now = readFileSync(await copies.now('now'));
    const sha = (offset: number, length: number) =>
      createHash('sha256')
        .update(now.subarray(offset, offset + length))
        .digest('hex');
    expect(lines).toEqual([
      { offset: 0, length: 2 * MIB, sha256: sha(0, 2 * MIB) },
      { offset: 2 * MIB, length: 2 * MIB, zero: true },
      { offset: 4 * MIB, length: 4 * MIB, zero: true },
      { offset: 8 * MIB, length: MIB, zero: true },
      { offset: 9 * MIB, length: 512, sha256: sha(9 * MIB, 512) },
      { end: true, ranges: 5 },
    ]);
  });

  it('have hashes of the changed blocks only, and none before they are complete', async () => {
    const { image, changeId } = await copies.full('full');
    await copies.guest().zero(KIB64, KIB64);
    await copies.guest().write(2 * KIB64, bytes(10));
    copies.lab.misbehave({ hang_at_byte: 0 });
    const next = await copies.image(undefined, image.file);
    await copies.begin('next', [{ image: next, base: changeId }]);
    expect((await copies.call('GET', '/api/v1/backup/next/hashes/2000')).status).toBe(404);
    copies.lab.misbehave({});
    await copies.whenOver('next');
    expect(await hashes('next')).toEqual([
      { offset: KIB64, length: KIB64, zero: true },
      { offset: 2 * KIB64, length: KIB64, sha256: expect.any(String) },
      { end: true, ranges: 2 },
    ]);
    expect((await copies.call('GET', '/api/v1/backup/next/hashes/2001')).status).toBe(404);
    expect((await copies.call('GET', '/api/v1/backup/nothing/hashes/2000')).status).toBe(404);
  });

  const changeSomething = async (below: (limit: number) => number) => {
    const size = copies.sizeOf();
    const offset = below(size);
    const length = Math.min(below(3 * KIB64), size - offset);
    const guest = copies.guest();
    const changes = [
      () => guest.write(offset, bytes(length, below(256))),
      () => guest.write(offset, bytes(length, below(256))),
      () => guest.zero(offset, length),
      () => guest.discard(offset, length),
      () => guest.resize((1 + below(6000)) * 512),
    ];
    await changes[below(changes.length)]?.();
  };
  it.each([1, 2, 3, 4])('replayed over any earlier copy give what the guest holds (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    let points: { readonly file: string; readonly changeId: string }[] = [];
    for (let round = 0; round < 6; round++) {
      for (let step = 0; step < 5; step++) {
        if (random() < 0.1) {
          await copies.guest().resetTracking();
          points = [];
        } else {
          await changeSomething(below);
        }
      }
      if (random() < 0.2) await copies.restart();
      const point = points.length === 0 ? undefined : points[below(points.length)];
      const image = await copies.image(undefined, point?.file);
      const told = await copies.backUp(`round-${round}`, { image, base: point?.changeId ?? null });
      expect(copies.holds(image, await copies.now('now'))).toBe(true);
      points.push({ file: image.file, changeId: told.change_id ?? '' });
    }
  });
});
