import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Json } from '../kit/api-client.js';
import { eventually } from '../kit/eventually.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';

describe('repositories', () => {
  let oma: RunningOma;

  beforeAll(async () => {
    oma = await runningOma();
  }, 60_000);

  afterAll(async () => {
    await oma.clear();
  });

  const path = (name: string) => join(oma.dataDir, name);
  const create = (name: string, folder = name, more: Json = {}) =>
    oma.api.post('/repositories', { name, type: 'local', config: { path: path(folder) }, ...more });

  it('are created as directories, with their space', async () => {
    const { status, body } = await create('main');
    expect(status).toBe(201);
    expect(body).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'main',
      type: 'local',
      enabled: true,
      is_immutable: false,
      config: { path: path('main') },
      storage_info: { repository_id: body['id'], available_bytes: expect.any(Number), backup_count: 0 },
    });
    expect(existsSync(path('main'))).toBe(true);
    const listed = await oma.api.get<Json[]>('/repositories');
    expect(listed.body).toEqual([expect.objectContaining({ id: body['id'] })]);
    const storage = await oma.api.get(`/repositories/${String(body['id'])}/storage`);
    expect(storage.body['total_bytes']).toBeGreaterThan(0);
  });

  it('are created once, of a hundred who want one name at the same time', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => create('popular', `popular-${index}`)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 409)).toHaveLength(99);
    await eventually(async () => {
      const { body } = await oma.api.get<Json[]>('/repositories?limit=1000');
      expect(body.filter((one) => one['name'] === 'popular')).toHaveLength(1);
    });
  }, 60_000);

  it('refuse a name or a directory that another one has, and say which', async () => {
    const { body: first } = await create('first');
    const taken = await create('FIRST', 'elsewhere');
    expect(taken).toMatchObject({ status: 409, body: { code: 'already-exists', repository_id: first['id'] } });
    const within = await create('inside', 'first/inside');
    expect(within).toMatchObject({ status: 409, body: { code: 'repository-path-taken', repository_id: first['id'] } });
    symlinkSync(path('first'), path('link'));
    expect(await create('linked', 'link')).toMatchObject({ status: 409, body: { code: 'repository-path-taken' } });
  });

  it('refuse a path that can be no repository', async () => {
    writeFileSync(path('file'), '');
    for (const bad of [path('file'), 'relative/path', '/etc/oma', '/proc/oma']) {
      const { status, body } = await oma.api.post('/repositories', {
        name: `bad ${bad}`,
        type: 'local',
        config: { path: bad },
      });
      expect({ bad, status, code: body['code'] }).toEqual({ bad, status: 422, code: 'repository-path-unusable' });
    }
  });

  it('refuse what does not exist yet, saying so', async () => {
    const nfs = await oma.api.post('/repositories', { name: 'nfs', type: 'nfs', config: { path: '/srv/nfs' } });
    expect(nfs).toMatchObject({ status: 422, body: { code: 'repository-type-not-offered' } });
    const immutable = await create('immutable', 'immutable', { is_immutable: true });
    expect(immutable).toMatchObject({ status: 422, body: { code: 'immutability-not-offered' } });
    expect(existsSync(path('immutable'))).toBe(false);
  });

  it('name each field that is wrong, also inside config', async () => {
    const { status, body } = await oma.api.post('/repositories', { name: '', config: { path: 7, share: 'x' } });
    expect(status).toBe(400);
    const fields = (body['errors'] as { field: string }[]).map(({ field }) => field).sort();
    expect(fields).toEqual(['config.path', 'config.share', 'name', 'type']);
  });

  it('keep false: a repository made disabled is disabled', async () => {
    const { body } = await create('asleep', 'asleep', { enabled: false });
    expect(body['enabled']).toBe(false);
    const { body: listed } = await oma.api.get<Json[]>('/repositories?enabled=false');
    expect(listed.map((one) => one['name'])).toEqual(['asleep']);
  });

  it('page by the Link header and cut nothing silently', async () => {
    for (const letter of ['a', 'b', 'c']) await create(`page ${letter}`, `page-${letter}`);
    const names: unknown[] = [];
    let next: string | null = '/repositories?limit=2';
    while (next !== null) {
      const page: Awaited<ReturnType<typeof oma.api.get<Json[]>>> = await oma.api.get<Json[]>(next);
      expect(page.body.length).toBeLessThanOrEqual(2);
      names.push(...page.body.map((one) => one['name']));
      next = /<\/api\/v1([^>]+)>; rel="next"/.exec(page.headers.get('link') ?? '')?.[1] ?? null;
    }
    const all = await oma.api.get<Json[]>('/repositories?limit=1000');
    expect(names).toEqual(all.body.map((one) => one['name']));
    expect(await oma.api.get('/repositories?cursor=nonsense')).toMatchObject({ status: 400 });
  });

  it('answer 404 with the id, and 503 when the directory is gone', async () => {
    const unknown = await oma.api.get('/repositories/nothing/storage');
    expect(unknown).toMatchObject({ status: 404, body: { code: 'unknown-repository', repository_id: 'nothing' } });
    const { body } = await create('lost');
    rmSync(path('lost'), { recursive: true });
    const away = await oma.api.get(`/repositories/${String(body['id'])}/storage`);
    expect(away).toMatchObject({ status: 503, body: { code: 'repository-away' } });
  });

  it('keep their data across a restart', async () => {
    const before = await oma.api.get<Json[]>('/repositories?limit=1000');
    await oma.restart();
    const after = await oma.api.get<Json[]>('/repositories?limit=1000');
    expect(after.body.map((one) => one['id'])).toEqual(before.body.map((one) => one['id']));
    expect(readFileSync(join(oma.dataDir, 'master-key'), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
  });
});
