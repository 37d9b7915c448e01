import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { DiskManifest } from '#lab/guests/manifest';
import { isKept } from '#platform/filesystems/archive-names';
import { processesWithArgument } from '#platform/processes/process-table';

import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { endOf, protect, startBackup } from '../kit/protected-vm.js';
import { type RunningOma, runningOma } from '../kit/running-oma.js';

const ARCHIVER = 'guest-archiver.main.js';

describe('archives of folders', () => {
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let oma: RunningOma;
  let mountId: string;
  let manifest: DiskManifest;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'oma-archives-'));
    lab = await startTestLab();
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '20740-20759' });
    const vm = await protect(oma.api, lab, 'web-01', oma.dataDir);
    const backupId = await startBackup(oma.api, vm, { disk_id: 0 });
    expect(await endOf(oma.api, backupId)).toMatchObject({ status: 'completed' });
    const { body } = await oma.api.post('/restore/mount', { backup_id: backupId });
    mountId = String(body['mount_id']);
    await endOf(oma.api, mountId);
    const disk = lab.vms.find(({ name }) => name === 'web-01')?.disks[0];
    manifest = JSON.parse(readFileSync(disk?.manifestFile ?? '', 'utf8')) as DiskManifest;
  }, 120_000);
  afterAll(async () => {
    await oma.clear();
    await lab.clear();
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = (query: string) => oma.api.download(`/restore/${mountId}/download-directory?${query}`);
  const unpacked = async (format: 'zip' | 'tar.gz') => {
    const { status, bytes, headers } = await ask(`path=/&format=${format}`);
    expect(status).toBe(200);
    expect(headers.get('content-disposition')).toContain(`filename="partition-1.${format}"`);
    const into = join(folder, format);
    const archive = join(folder, `archive.${format}`);
    mkdirSync(into);
    writeFileSync(archive, bytes);
    const program = 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])';
    if (format === 'zip') execFileSync('python3', ['-c', program, archive, into]);
    else execFileSync('tar', ['xzf', archive, '-C', into]);
    return into;
  };
  /** Files whose names are kept: others are encoded in the archive. */
  const expected = () =>
    manifest.files
      .map((file) => ({ ...file, path: Buffer.from(file.path, 'base64') }))
      .filter(({ path }) =>
        path
          .toString('latin1')
          .split('/')
          .every((name) => isKept(Buffer.from(name, 'latin1'))),
      );

  it.each(['zip', 'tar.gz'] as const)(
    'hold every file of a partition as it was, and name what they do not: %s',
    async (format) => {
      const into = await unpacked(format);
      const files = expected();
      expect(files.length).toBeGreaterThan(2000);
      for (const { path, sha256 } of files) {
        const bytes = readFileSync(join(into, 'partition-1', path.toString()));
        expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
      }
      const trailer = readFileSync(join(into, 'oma-not-included.txt'), 'utf8');
      expect(trailer).toContain('it is a fifo');
      const encoded = manifest.files.length - files.length;
      expect(trailer.split("the guest's can't be kept").length - 1).toBeGreaterThanOrEqual(encoded);
    },
    60_000,
  );

  it('refuse what is no folder, unknown formats and ways out', async () => {
    const file = expected()[0]?.path.toString() ?? '';
    expect((await ask(`path=${encodeURIComponent(file)}`)).status).toBe(422);
    expect((await ask('path=/&format=rar')).status).toBe(400);
    expect((await ask('path=/nowhere')).status).toBe(404);
    expect((await ask('path=/../etc')).status).toBeGreaterThanOrEqual(400);
    const unknown = await oma.api.download('/restore/0190aaaa-0000-7000-8000-000000000000/download-directory?path=/');
    expect(unknown.status).toBe(404);
  });

  it('break off visibly when their program dies, and end it when the client leaves', async () => {
    const open = async () => {
      const response = await fetch(`${oma.api.url}/api/v1/restore/${mountId}/download-directory?path=/&format=tar.gz`, {
        headers: { authorization: `Bearer ${oma.api.token}` },
      });
      const reader = response.body?.getReader();
      if (reader === undefined) throw new Error('no body');
      await reader.read();
      return reader;
    };
    const archivers = () => processesWithArgument((argument) => argument.endsWith(ARCHIVER));

    const broken = await open();
    for (const { pid } of await archivers()) process.kill(pid, 'SIGKILL');
    const toTheEnd = async () => {
      for (;;) if ((await broken.read()).done) return;
    };
    await expect(toTheEnd()).rejects.toThrow();

    const left = await open();
    await left.cancel();
    await eventually(async () => {
      expect(await archivers()).toEqual([]);
    });
  });
});
