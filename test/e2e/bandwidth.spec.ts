import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Json } from '../kit/api-client.js';
import { expectIdentical, takePoint } from '../kit/kept-points.js';
import { protect, type ProtectedVm } from '../kit/protected-vm.js';
import { type RunningOma, runningOma } from '../kit/running-oma.js';
import { KIB, MIB, smallVm, startSmallLab } from '../kit/small-guests.js';

const PATH = '/Lab/vm/slow';
const LIMIT = 512 * KIB;
const DATA_BYTES = 2 * MIB;
/** A bucket lets its burst pass at once; what is left takes at least this long. */
const AT_LEAST_SECONDS = 2;

describe('a bandwidth limit', () => {
  let lab: Awaited<ReturnType<typeof startSmallLab>>;
  let oma: RunningOma;
  let vm: ProtectedVm;
  beforeAll(async () => {
    lab = await startSmallLab([smallVm('slow', [2])]);
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '20800-20819' });
    vm = await protect(oma.api, lab, 'slow', oma.dataDir);
    await lab.guest(PATH, 2000).write(0, randomBytes(DATA_BYTES));
  });
  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  });

  const secondsOf = async (of: ProtectedVm, order: Json) => {
    const begun = performance.now();
    const point = await takePoint(oma.api, lab, of, PATH, lab.folder, { backup_type: 'full', ...order });
    expect(point.job).toMatchObject({ status: 'completed' });
    expectIdentical(of, point);
    return (performance.now() - begun) / 1000;
  };

  it('of a job holds its backup to that rate', async () => {
    expect(await secondsOf(vm, { bandwidth_limit_bytes_per_second: LIMIT })).toBeGreaterThan(AT_LEAST_SECONDS);
  });

  it('of a repository holds every backup into it, and is shown with it', async () => {
    const path = join(oma.dataDir, 'limited');
    const { status, body } = await oma.api.post<{ id: string; bandwidth_limit_bytes_per_second: number }>(
      '/repositories',
      {
        name: 'limited',
        type: 'local',
        config: { path },
        bandwidth_limit_bytes_per_second: LIMIT,
      },
    );
    expect(status).toBe(201);
    expect(body.bandwidth_limit_bytes_per_second).toBe(LIMIT);
    const limited = { ...vm, repositoryId: body.id, repositoryPath: path };
    expect(await secondsOf(limited, {})).toBeGreaterThan(AT_LEAST_SECONDS);
  });

  it.each([0, 1000, -1, 'fast', 1.5])('is refused when it is %j', async (limit) => {
    const { status } = await oma.api.post('/backup/start', {
      vm_name: vm.contextId,
      repository_id: vm.repositoryId,
      backup_type: 'full',
      bandwidth_limit_bytes_per_second: limit,
    });
    expect(status).toBe(400);
  });
});
