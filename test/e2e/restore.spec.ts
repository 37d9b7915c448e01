import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { DiskManifest } from '#lab/guests/manifest';

import type { Json } from '../kit/api-client.js';
import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { leftBehind } from '../kit/left-behind.js';
import { endOf, protect, startBackup } from '../kit/protected-vm.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';

interface Mount {
  readonly mount_id: string;
  readonly status: string;
  readonly partitions: readonly { number: number; state: string; reason?: string; filesystem: string | null }[];
  readonly expires_at: string;
}

interface File extends Json {
  readonly name: string;
  readonly path_encoded: string;
  readonly type: string;
  readonly symlink_target?: string;
}

describe('file restore', () => {
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let web: string;
  let manifest: DiskManifest;
  let mount: Mount;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '20300-20399' });
    const vm = await protect(oma.api, lab, 'web-01', oma.dataDir);
    web = await startBackup(oma.api, vm);
    await endOf(oma.api, web);
    const [disk] = lab.vms.find((one) => one.name === 'web-01')?.disks ?? [];
    manifest = JSON.parse(readFileSync(String(disk?.manifestFile), 'utf8')) as DiskManifest;
    mount = await open(web);
  }, 120_000);

  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  });

  const open = async (backupId: string, more: Json = {}): Promise<Mount> => {
    const { body } = await oma.api.post<Mount>('/restore/mount', { backup_id: backupId, ...more });
    await endOf(oma.api, body.mount_id);
    const { body: all } = await oma.api.get<{ mounts: Mount[] }>('/restore/mounts');
    return all.mounts.find((one) => one.mount_id === body.mount_id) ?? body;
  };
  const encoded = (path: Buffer) => [...path].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const list = (path: string, more = '') =>
    oma.api.get<{ files: File[]; total_count: number; next_cursor: string | null } & Json>(
      `/restore/${mount.mount_id}/files?path=${path}${more}`,
    );
  const info = (path: string) => oma.api.get(`/restore/${mount.mount_id}/file-info?path=${path}`);
  const download = (path: string, headers = {}) =>
    oma.api.download(`/restore/${mount.mount_id}/download?path=${path}`, headers);

  it('opens what can be read and says of the rest which partition and why', () => {
    expect(mount.status).toBe('mounted');
    expect(mount.partitions).toEqual([
      expect.objectContaining({ number: 1, state: 'mounted', filesystem: 'ext4' }),
      expect.objectContaining({ number: 2, state: 'unreadable', reason: expect.stringMatching(/\S{3}/) }),
    ]);
  });

  it('gives back every file bit by bit, whatever its name', async () => {
    const special = manifest.files.filter(({ path }) =>
      /[^\x21-\x7e]/.test(Buffer.from(path, 'base64').toString('latin1')),
    );
    const large = manifest.files.filter(({ size }) => size > 100_000);
    const small = manifest.files.filter((_, index) => index % 200 === 0);
    expect(special.length).toBeGreaterThan(3);
    for (const { path, size, sha256 } of [...special, ...large, ...small]) {
      const { status, bytes, headers } = await download(encoded(Buffer.from(path, 'base64')));
      expect({ status, size: bytes.byteLength }).toEqual({ status: 200, size });
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
      expect(headers.get('content-disposition')).toMatch(
        /^attachment; filename="[\w .-]*"; filename\*=UTF-8''[\x21-\x7e]*$/,
      );
    }
  }, 60_000);

  it('lists a folder in a stable order, in pages if wanted, and cuts nothing', async () => {
    const whole = await list('/many');
    expect(whole.body.total_count).toBeGreaterThan(1);
    const names: string[] = [];
    let cursor = '';
    do {
      const page = await list('/many', `&limit=7${cursor}`);
      names.push(...page.body.files.map((file) => file.name));
      cursor = page.body.next_cursor === null ? '' : `&cursor=${page.body.next_cursor}`;
    } while (cursor !== '' && names.length < 50);
    expect(names).toEqual(whole.body.files.slice(0, names.length).map((file) => file.name));
  });

  it('finds each listed entry again by its path_encoded, also where names are not text', async () => {
    const root = await list('/');
    for (const entry of root.body.files) {
      const { status, body } = await info(entry.path_encoded);
      expect({ status, type: body['type'] }).toEqual({ status: 200, type: entry.type });
    }
    expect(root.body.files.some((entry) => entry.path_encoded.includes('%'))).toBe(true);
  });

  it('shows links, devices and pipes, and neither follows nor opens them', async () => {
    for (const { path, type } of manifest.others.filter((one) => one.type !== 'folder')) {
      const where = encoded(Buffer.from(path, 'base64'));
      const seen = await info(where);
      expect(seen.status).toBe(200);
      expect(seen.body['type']).toBe(type === 'device' ? 'char' : type);
      const { status, bytes } = await download(where);
      expect({ path, status }).toEqual({ path, status: 422 });
      expect(JSON.parse(bytes.toString())).toMatchObject({ code: 'path-refused' });
    }
    const links = manifest.others.filter((one) => one.type === 'symlink');
    expect(links.length).toBeGreaterThan(1);
    for (const { path } of links) {
      const beyond = `${encoded(Buffer.from(path, 'base64'))}/passwd`;
      expect((await list(beyond)).status).toBe(422);
      expect((await download(beyond)).status).toBe(422);
    }
  });

  it.each(['/../../../../etc', '/documents/../../etc', '/%2e%2e/%2e%2e/etc', '..%2f..%2fetc', '/documents%00/etc'])(
    'refuses the path %s',
    async (path) => {
      const { status, body } = await list(path);
      expect({ status, code: body['code'] }).toEqual({
        status: body['code'] === 'malformed-request' ? 400 : 422,
        code: body['code'],
      });
      expect(['path-refused', 'malformed-request']).toContain(body['code']);
    },
  );

  it('says how a folder is downloaded, and where paths come from', async () => {
    const folder = await download('/documents');
    expect(JSON.parse(folder.bytes.toString())).toMatchObject({
      remedy: expect.stringContaining('/download-directory'),
    });
    expect((await list('/../etc')).body).toMatchObject({ remedy: expect.stringContaining('path_encoded') });
  });

  it('says 404 for what is not there', async () => {
    expect(await info('/nothing')).toMatchObject({ status: 404, body: { code: 'path-not-found' } });
    expect(await list('/nothing/below')).toMatchObject({ status: 404 });
    expect(await list('/', '&partition=9')).toMatchObject({ status: 404, body: { code: 'unknown-partition' } });
    expect(await list('/', '&partition=2')).toMatchObject({ status: 422, body: { code: 'partition-unreadable' } });
    expect(await list('/', '&recursive=true')).toMatchObject({ status: 400 });
  });

  it('gives a range of a file, and refuses one beyond it', async () => {
    const file = manifest.files.find(({ size }) => size > 100_000);
    const path = encoded(Buffer.from(String(file?.path), 'base64'));
    const whole = await download(path);
    const part = await download(path, { range: 'bytes=1000-1999' });
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes 1000-1999/${String(file?.size)}`);
    expect(part.bytes.equals(whole.bytes.subarray(1000, 2000))).toBe(true);
    expect((await download(path, { range: `bytes=${String(file?.size)}-` })).status).toBe(416);
  });

  it('does not change the restore point', async () => {
    const { body } = await oma.api.get<{ disks: { file_path: string }[] }>(`/backup/${web}`);
    const image = join(oma.dataDir, 'repository-1', String(body.disks[0]?.file_path));
    const before = createHash('sha256').update(readFileSync(image)).digest('hex');
    const again = await open(web);
    await oma.api.delete(`/restore/${again.mount_id}`);
    expect(createHash('sha256').update(readFileSync(image)).digest('hex')).toBe(before);
  });

  it('of a disk without a readable filesystem says why, while its backup is fine', async () => {
    const vm = await protect(oma.api, lab, 'raw-01', oma.dataDir);
    const backupId = await startBackup(oma.api, vm);
    expect(await endOf(oma.api, backupId)).toMatchObject({ status: 'completed' });
    const { body } = await oma.api.post<Mount>('/restore/mount', { backup_id: backupId });
    const job = await endOf(oma.api, body.mount_id);
    expect(job).toMatchObject({ status: 'failed', error: { code: 'nothing-readable' }, leftovers: [] });
    expect(await oma.api.get(`/restore/${body.mount_id}/files?path=/`)).toMatchObject({
      status: 410,
      body: { code: 'mount-is-gone' },
    });
  }, 60_000);

  it('closes a mount for good, and leaves nothing of it', async () => {
    const another = await open(web, { disk_id: 1 });
    const { status, body } = await oma.api.delete(`/restore/${another.mount_id}`);
    expect({ status, state: body['status'] }).toEqual({ status: 200, state: 'unmounted' });
    expect(leftBehind(join(oma.dataDir, 'run', 'mounts', another.mount_id))).toEqual([]);
    expect(await oma.api.delete(`/restore/${another.mount_id}`)).toMatchObject({ status: 410 });
  });

  it('closes by itself when nobody has read from it for a while', async () => {
    const idle = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '20400-20499', OMA_MOUNT_IDLE_SECONDS: '1' });
    try {
      const vm = await protect(idle.api, lab, 'db-01', idle.dataDir);
      const backupId = await startBackup(idle.api, vm);
      await endOf(idle.api, backupId);
      const { body } = await idle.api.post<Mount>('/restore/mount', { backup_id: backupId });
      await eventually(async () => {
        // Looking at the list is no reading.
        const { body: list } = await idle.api.get('/restore/mounts');
        expect(list['count']).toBe(0);
      }, 30);
      expect((await idle.api.get(`/restore/${body.mount_id}/files?path=/`)).status).toBe(410);
      expect(leftBehind(join(idle.dataDir, 'run'))).toEqual([]);
    } finally {
      await idle.clear();
    }
  }, 90_000);
});
