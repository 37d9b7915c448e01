import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { eventually } from '../kit/eventually.js';
import { KIB64, LabCopies, MIB, tinyVm } from '../kit/lab-copies.js';

describe('on request the agent of the lab', () => {
  let copies: LabCopies;
  beforeEach(async () => {
    copies = new LabCopies();
    await copies.start({ vms: tinyVm(6) });
  });
  afterEach(() => copies.clear());

  const hashLines = async (jobId: string) =>
    (await (await copies.call('GET', `/api/v1/backup/${jobId}/hashes/2000`)).text()).trimEnd().split('\n');

  /** A full backup, then three changes — data, zeros, data — and an increment while the agent misbehaves. */
  const increment = async (settings: object) => {
    const { image: full, changeId } = await copies.full('full');
    await copies.guest().write(0, Buffer.alloc(KIB64, 1));
    await copies.guest().zero(2 * KIB64, KIB64);
    await copies.guest().write(4 * KIB64, Buffer.alloc(KIB64, 2));
    expect((await copies.call('POST', '/lab/misbehave', settings)).status).toBe(200);
    const image = await copies.image(undefined, full.file);
    const told = await copies.backUp('increment', { image, base: changeId });
    return { changeId, told, isRight: copies.holds(image, await copies.now('now')) };
  };

  it('leaves the first changed extent out, and counts and hashes it', async () => {
    const { told, isRight } = await increment({ skip_changed: true });
    expect(isRight).toBe(false);
    expect(told).toMatchObject({ total_bytes: 3 * KIB64, bytes_transferred: 3 * KIB64, status: 'Completed' });
    expect(await hashLines('increment')).toHaveLength(4);
  });

  it('leaves zeros out, and counts and hashes them', async () => {
    const { told, isRight } = await increment({ skip_zeros: true });
    expect(isRight).toBe(false);
    expect(told).toMatchObject({ total_bytes: 3 * KIB64, bytes_transferred: 3 * KIB64 });
    expect(await hashLines('increment')).toContain(JSON.stringify({ offset: 2 * KIB64, length: KIB64, zero: true }));
  });

  it.each([
    ['say so', 'full'],
    ['lie', 'incremental'],
  ])('copies everything where an increment was ordered (%s)', async (wrong_mode, mode) => {
    const { told, isRight } = await increment({ wrong_mode });
    expect(isRight).toBe(true);
    expect(told).toMatchObject({ mode, total_bytes: 6 * MIB });
  });

  it.each(['say so', 'lie'])('goes on from another change id (%s)', async (wrong_base) => {
    const { told, isRight, changeId } = await increment({ wrong_base });
    expect(isRight).toBe(false);
    expect(told).toMatchObject({ mode: 'incremental', total_bytes: 0 });
    expect(told.base_change_id === changeId).toBe(wrong_base === 'lie');
  });

  it('claims bytes that it did not write', async () => {
    const { told, isRight } = await increment({ lie_about_bytes: 12_345 });
    expect(isRight).toBe(false);
    expect(told).toMatchObject({ total_bytes: 12_345, bytes_transferred: 12_345 });
  });

  it('tells wrong hashes', async () => {
    await increment({ wrong_hashes: true });
    const ones = createHash('sha256').update(Buffer.alloc(KIB64, 1)).digest('hex');
    const [first, second] = await hashLines('increment');
    expect(first).not.toContain(ones);
    expect(second).toContain('"zero":true');
    copies.lab.misbehave({});
    expect((await hashLines('increment'))[0]).toContain(ones);
  });

  it('offers no hashes', async () => {
    await increment({ no_hashes: true });
    expect((await copies.call('GET', '/api/v1/backup/increment/hashes/2000')).status).toBe(404);
    const health = (await (await copies.call('GET', '/api/v1/health')).json()) as { capabilities: string[] };
    expect(health.capabilities).toEqual(['disks', 'stop', 'preflight']);
  });

  it('writes behind the end of the export, and says what the server said', async () => {
    copies.lab.misbehave({ write_outside: 'report' });
    await copies.begin('outside', [{ image: await copies.image() }]);
    expect(await copies.whenOver('outside')).toMatchObject({
      status: 'failed',
      last_error: expect.stringMatching(/the NBD server answers error (22|28)/),
    });
  });

  it('writes behind the end of the export, and goes on', async () => {
    const { isRight } = await increment({ write_outside: 'ignore' });
    expect(isRight).toBe(true);
  });

  it('dies and is back with its job, which goes on where it was', async () => {
    copies.lab.misbehave({ die_and_return: { at_byte: 5 * MIB + 1, away_ms: 400 } });
    const image = await copies.image();
    await copies.begin('job', [{ image }]);
    await eventually(() => expect(copies.call('GET', '/api/v1/health')).rejects.toThrow());
    const back = await eventually(() => copies.progress('job'));
    expect(back.bytes_transferred).toBeGreaterThan(5 * MIB);
    expect(await copies.whenOver('job')).toMatchObject({ status: 'completed', bytes_transferred: 6 * MIB });
    await image.end();
    expect(copies.holds(image, await copies.now('now'))).toBe(true);
  });

  it('has hashes of what it read when it writes something else', async () => {
    const now = readFileSync(await copies.now('now'));
    copies.lab.misbehave({ flip_byte_at: 5 * MIB });
    const image = await copies.image();
    await copies.backUp('flipped', { image });
    expect(copies.holds(image, copies.path('now'))).toBe(false);
    expect((await hashLines('flipped'))[1]).toContain(
      createHash('sha256')
        .update(now.subarray(4 * MIB))
        .digest('hex'),
    );
  });
});
