import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { ContentProver } from '#platform/manifests/content-prover';
import { ContentVerifier } from '#platform/manifests/content-verifier';
import { HashWorkers } from '#platform/manifests/hash-workers';
import { ownContent } from '#platform/manifests/own-content';
import { ExecaProcessRunner } from '#platform/processes/execa.process-runner';
import type { SourceRange } from '#platform/vma/vma-client.port';

import { DiskWorld, run } from '../kit/disk-world.js';
import { seededRandom } from '../kit/seeded-random.js';
import { silentLog } from '../kit/silent-log.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const SIZE = 12 * MIB;
const FLIPS = 40;

describe('content manifests', () => {
  const runner = new ExecaProcessRunner();
  const { signal } = new AbortController();
  let workers: HashWorkers;
  let world: DiskWorld;
  let base: string;
  let newest: string;
  beforeAll(() => {
    workers = new HashWorkers(silentLog);
  });
  afterAll(async () => {
    await workers.close();
  });
  beforeEach(() => {
    world = new DiskWorld();
    base = image('base');
    io(base, 'write -P 1 0 5M', 'write -P 2 6M 1M', 'write -z 7M 64k');
    newest = image('newest', 'base.qcow2');
    io(newest, 'write -P 3 1M 4k', 'write -z 2M 128k', 'discard 3M 64k', 'write -P 4 4000k 200k', 'write -z 9M 64k');
  });
  afterEach(() => world.clear());

  const image = (name: string, backing?: string): string => {
    const file = `${world.root}/${name}.qcow2`;
    const options = 'cluster_size=65536,lazy_refcounts=on';
    const on = backing === undefined ? [] : ['-u', '-b', backing, '-F', 'qcow2'];
    run('qemu-img', 'create', '-q', '-f', 'qcow2', ...on, '-o', options, file, String(SIZE));
    return file;
  };
  const io = (file: string, ...commands: string[]) =>
    run('qemu-io', '-f', 'qcow2', ...commands.flatMap((one) => ['-c', one]), file);
  const header = (name: string, parentManifestSha256: string | null = null) => ({
    backupId: name,
    deviceKey: 2000,
    sizeBytes: SIZE,
    parentManifestSha256,
  });
  const prove = (file: string, parent: string | null = null, source: readonly SourceRange[] | null = null) =>
    new ContentProver(runner, workers).prove({
      file,
      manifestFile: `${file}.manifest`,
      header: header(file, parent),
      source: source === null ? null : asStream(source),
      signal,
    });
  const verify = (file: string, manifestSha256: string, parent: string | null = null) =>
    new ContentVerifier(runner, workers).verify({
      file,
      manifestFile: `${file}.manifest`,
      manifestSha256,
      header: header(file, parent),
      signal,
    });
  const pieces = async (file: string) => {
    const found: { offset: number; length: number; zero: boolean }[] = [];
    for await (const { offset, length, stretches } of ownContent(runner, file, signal)) {
      found.push({ offset, length, zero: stretches === null });
    }
    return found;
  };

  it('list what the layer itself holds, zeros as such, and nothing that was never written in it', async () => {
    expect(await pieces(newest)).toEqual([
      { offset: MIB, length: 64 * KIB, zero: false },
      { offset: 2 * MIB, length: 128 * KIB, zero: true },
      { offset: 3 * MIB, length: 64 * KIB, zero: true },
      { offset: 62 * 64 * KIB, length: 128 * KIB, zero: false },
      { offset: 4 * MIB, length: 128 * KIB, zero: false },
      { offset: 9 * MIB, length: 64 * KIB, zero: true },
    ]);
  });

  it('are the same for the same content, wherever it lies in the file', async () => {
    const other = image('other');
    io(other, 'write -P 2 6M 1M', 'write -z 7M 64k', 'write -P 1 4M 1M', 'write -P 1 0 4M');
    const lines = (file: string) => readFileSync(`${file}.manifest`, 'utf8').split('\n').slice(1);
    await prove(base);
    await prove(other);
    expect(lines(other)).toEqual(lines(base));
  });

  it('are the same for every copy of the file, also for one in which holes were made', async () => {
    const many = image('many');
    const writes = Array.from({ length: 120 }, (_, index) => `write -P 7 ${index * 68}k 4k`);
    io(many, ...writes);
    const { manifestSha256 } = await prove(many);
    run('cp', '--sparse=always', many, `${world.root}/copy.qcow2`);
    run('cp', `${world.root}/copy.qcow2`, many);
    expect(await verify(many, manifestSha256)).toBeNull();
  });

  describe('of an image whose map qemu-img can not read', () => {
    const verifyAfter = async (words: string, place: string) => {
      const { manifestSha256 } = await prove(base);
      const failing = new (class extends ExecaProcessRunner {
        override pipe() {
          const ended = Promise.resolve({ exitCode: 1, stderr: `qemu-img: Could not open '${place}': ${words}\n` });
          return { stdout: Readable.from([]), ended, kill: () => undefined };
        }
      })();
      const order = { file: base, manifestFile: `${base}.manifest`, manifestSha256, header: header(base), signal };
      return new ContentVerifier(failing, workers).verify(order);
    };

    it.each([
      'Failed to get shared "write" lock\nIs another process using the image [/srv/a]?',
      'Failed to lock byte 100: Input/output error',
      'No locks available',
      'Too many open files',
      'Too many open files in system',
      'Cannot allocate memory',
      'Resource temporarily unavailable',
      'Device or resource busy',
      'Stale file handle',
      'Transport endpoint is not connected',
      'Connection timed out',
      'Host is down',
      'Remote I/O error',
    ])('say nothing of it when that passes: %s', async (words) => {
      await expect(verifyAfter(words, '/srv/a')).rejects.toThrow('qemu-img could not read the map');
    });

    it.each(['Image is corrupt; cannot be opened read/write', 'Input/output error'])(
      'call it damaged when that stays, wherever it lies: %s',
      async (words) => {
        expect(await verifyAfter(words, '/srv/block/busy/a')).toMatchObject({
          reason: "the image's own tables can't be read",
        });
      },
    );
  });

  it('stop at once when they are told to, however much is left to read', async () => {
    const large = `${world.root}/large.qcow2`;
    run('qemu-img', 'create', '-q', '-f', 'qcow2', large, '1G');
    io(large, 'write -P 9 0 512M', 'write -P 8 512M 512M');
    const life = new AbortController();
    const begun = performance.now();
    setTimeout(() => {
      life.abort(new Error('told to'));
    }, 100);
    const proving = new ContentProver(runner, workers).prove({
      file: large,
      manifestFile: `${large}.manifest`,
      header: { ...header(large), sizeBytes: 1024 * MIB },
      source: null,
      signal: life.signal,
    });
    await expect(proving).rejects.toThrow('told to');
    const stoppedAfterMs = performance.now() - begun;
    const { dataBytes } = await new ContentProver(runner, workers).prove({
      file: large,
      manifestFile: `${large}.manifest`,
      header: { ...header(large), sizeBytes: 1024 * MIB },
      source: null,
      signal,
    });
    expect(dataBytes).toBe(1024 * MIB);
    expect(stoppedAfterMs).toBeLessThan((performance.now() - begun - stoppedAfterMs) / 2);
  }, 60_000);

  it('accuse no image of what only keeps qemu-img from its work', async () => {
    const { manifestSha256 } = await prove(newest, 'a'.repeat(64));
    const killed = new Proxy(runner, {
      get: (target, key) =>
        key === 'pipe'
          ? (call: Parameters<typeof runner.pipe>[0]) =>
              target.pipe({ ...call, program: 'sh', args: ['-c', 'kill -9 $$'] })
          : (Reflect.get(target, key) as unknown),
    });
    const order = {
      file: newest,
      manifestFile: `${newest}.manifest`,
      manifestSha256,
      header: header(newest, 'a'.repeat(64)),
      signal,
    };
    await expect(new ContentVerifier(killed, workers).verify(order)).rejects.toThrow('could not read the map');
  });

  it('keep nobody waiting at a pipe in their place, and write through no link', async () => {
    const { manifestSha256 } = await prove(newest, 'a'.repeat(64));
    rmSync(`${newest}.manifest`);
    run('mkfifo', `${newest}.manifest`);
    expect(await verify(newest, manifestSha256, 'a'.repeat(64))).toMatchObject({ reason: 'its manifest is no file' });
    const victim = `${world.root}/victim`;
    writeFileSync(victim, 'untouched');
    symlinkSync(victim, `${newest}.manifest.part`);
    await prove(newest, 'a'.repeat(64));
    expect(readFileSync(victim, 'utf8')).toBe('untouched');
    expect(await verify(newest, manifestSha256, 'a'.repeat(64))).toBeNull();
  });

  it('seal the chain: the hash depends on the parent', async () => {
    const first = await prove(newest, 'a'.repeat(64));
    const second = await prove(newest, 'b'.repeat(64));
    expect(first.manifestSha256).not.toBe(second.manifestSha256);
    const file = createHash('sha256').update(readFileSync(`${newest}.manifest`));
    expect(file.digest('hex')).toBe(second.manifestSha256);
  });

  it(`find each of ${FLIPS} flipped bits, and say where`, async () => {
    const { manifestSha256 } = await prove(base);
    expect(await verify(base, manifestSha256)).toBeNull();
    const mapped: { start: number; length: number; offset?: number; data: boolean }[] = JSON.parse(
      run('qemu-img', 'map', '--output=json', base),
    ) as never;
    const data = mapped.filter((area) => area.data);
    const random = seededRandom(9);
    for (let flip = 0; flip < FLIPS; flip += 1) {
      const area = data[Math.floor(random() * data.length)];
      if (area?.offset === undefined) throw new Error('no data');
      const at = Math.floor(random() * area.length);
      turnBit(base, area.offset + at, Math.floor(random() * 8));
      const damage = await verify(base, manifestSha256);
      expect(damage?.offsetBytes).toBeLessThanOrEqual(area.start + at);
      expect((damage?.offsetBytes ?? 0) + (damage?.lengthBytes ?? 0)).toBeGreaterThan(area.start + at);
      io(base, `write -P ${area.start < 6 * MIB ? 1 : 2} ${area.start + at - ((area.start + at) % 512)} 512`);
    }
    expect(await verify(base, manifestSha256)).toBeNull();
  }, 120_000);

  it.each<[string, (hash: string) => void]>([
    [
      'the manifest is gone',
      () => {
        rmSync(`${newest}.manifest`);
      },
    ],
    [
      'the manifest was edited',
      () => {
        edit(`${newest}.manifest`, (text) => text.replace('"zero":true', '"zero": true'));
      },
    ],
    [
      'the manifest was cut off',
      () => {
        edit(`${newest}.manifest`, (text) => text.slice(0, -20));
      },
    ],
    [
      'the image is gone',
      () => {
        rmSync(newest);
      },
    ],
    [
      'the image is cut off',
      () => {
        truncateSync(newest, 400 * KIB);
      },
    ],
    [
      'the image is another one',
      () => {
        copyFileSync(base, newest);
      },
    ],
    [
      'there is more in it',
      () => {
        io(newest, 'write -P 5 8M 64k');
      },
    ],
    [
      'zeros became data',
      () => {
        io(newest, 'write -P 5 2M 64k');
      },
    ],
  ])('show damage when %s', async (_what, happens) => {
    const { manifestSha256 } = await prove(newest, 'a'.repeat(64));
    happens(manifestSha256);
    expect(await verify(newest, manifestSha256, 'a'.repeat(64))).toMatchObject({ reason: expect.stringMatching(/\S/) });
  });

  it('belong to one image and one parent', async () => {
    const { manifestSha256 } = await prove(newest, 'a'.repeat(64));
    expect(await verify(newest, manifestSha256, 'b'.repeat(64))).toMatchObject({ offsetBytes: null });
  });

  describe('compared with what the agent read', () => {
    const sha = (fill: number, length: number) => createHash('sha256').update(Buffer.alloc(length, fill)).digest('hex');
    const data = (offset: number, length: number, fill: number): SourceRange => ({
      offset,
      length,
      sha256: sha(fill, length),
    });
    const zero = (offset: number, length: number): SourceRange => ({ offset, length, zero: true });
    const whole: readonly SourceRange[] = [
      data(0, 4 * MIB, 1),
      data(4 * MIB, MIB, 1),
      zero(5 * MIB, MIB),
      data(6 * MIB, MIB, 2),
      zero(7 * MIB, MIB),
      zero(8 * MIB, 4 * MIB),
    ];
    const changed: readonly SourceRange[] = [
      data(MIB, 4 * KIB, 3),
      zero(2 * MIB, 128 * KIB),
      zero(3 * MIB, 64 * KIB),
      data(4000 * KIB, 96 * KIB, 4),
      data(4 * MIB, 104 * KIB, 4),
      zero(9 * MIB, 64 * KIB),
    ];

    it('agree for a whole disk and for an increment, also in other borders', async () => {
      await expect(prove(base, null, whole)).resolves.toMatchObject({ dataBytes: 6 * MIB });
      const finer = [data(0, 100 * KIB, 1), data(100 * KIB, 4 * MIB - 100 * KIB, 1), ...whole.slice(1)];
      await expect(prove(base, null, finer)).resolves.toMatchObject({ dataBytes: 6 * MIB });
      await expect(prove(newest, 'a'.repeat(64), changed)).resolves.toMatchObject({ zeroBytes: 256 * KIB });
    });

    it.each<[string, readonly SourceRange[]]>([
      ['other bytes', [data(0, 4 * MIB, 9), ...whole.slice(1)]],
      ['zeros where there is data', [zero(0, 4 * MIB), ...whole.slice(1)]],
      ['data where there are zeros', [...whole.slice(0, 2), data(5 * MIB, MIB, 1), ...whole.slice(3)]],
      ['a gap', whole.filter((_, index) => index !== 2)],
      ['no end', whole.slice(0, -1)],
      ['nothing', []],
      ['another order', [...whole].reverse()],
      ['an overlap', [whole[0]!, ...whole]],
      ['more than the disk', [...whole, zero(SIZE, MIB)]],
      ['a range over a border', [data(0, 5 * MIB, 1), ...whole.slice(2)]],
    ])('refuse a whole disk with %s', async (_what, source) => {
      await expect(prove(base, null, source)).rejects.toThrow(/offset/);
    });

    it.each<[string, readonly SourceRange[]]>([
      ['a change that is not there', [...changed, data(10 * MIB, 64 * KIB, 7)]],
      ['zeros that are not there', [...changed, zero(10 * MIB, 64 * KIB)]],
      ['less than the layer holds', changed.slice(1)],
      ['other bytes', [data(MIB, 4 * KIB, 9), ...changed.slice(1)]],
    ])('refuse an increment with %s', async (_what, source) => {
      await expect(prove(newest, 'a'.repeat(64), source)).rejects.toThrow(/offset/);
    });
  });
});

async function* asStream(ranges: readonly SourceRange[]): AsyncGenerator<SourceRange> {
  for (const range of ranges) yield await Promise.resolve(range);
}

function turnBit(file: string, at: number, bit: number): void {
  const bytes = readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
  writeFileSync(file, bytes);
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}
