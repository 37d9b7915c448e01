import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { HttpVmaClient } from '#platform/vma/http.vma-client';
import { VmaAway, VmaRefuses, VmaTalksNonsense } from '#platform/vma/vma.errors';
import type { BackupOrder, VcenterAccount } from '#platform/vma/vma-client.port';

import { amidCollections } from '../kit/amid-collections.js';
import { eventually } from '../kit/eventually.js';
import {
  dropsConnection,
  endless,
  html,
  json,
  redirectsTo,
  type Reply,
  says,
  ScriptedVma,
  silence,
  stuck,
} from '../kit/scripted-vma.js';

/** Five seconds become 200 ms. */
const IMPATIENT = 0.04;
const PASSWORD = 'sw0rdfish "quoted"\\&+';
const ACCOUNT: VcenterAccount = {
  vcenterHost: 'vcenter.example',
  username: 'backup@vsphere.local',
  password: PASSWORD,
  datacenter: 'DC1',
};
const ORDER: BackupOrder = {
  jobId: 'job-1',
  vmName: 'web',
  vmPath: '/DC1/vm/web',
  account: ACCOUNT,
  disks: [
    { deviceKey: 2000, nbdUrl: 'nbd://127.0.0.1:10100/aa', sizeBytes: 1024, baseChangeId: null },
    { deviceKey: 2001, nbdUrl: 'nbd://127.0.0.1:10101/bb', sizeBytes: 2048, baseChangeId: null },
  ],
};
const HEALTH = 'GET /health';
const DISCOVER = 'POST /discover';
const START = 'POST /backup/start';
const PROGRESS = 'GET /progress/job-1';
const STOP = 'POST /backup/stop';
const HASHES = 'GET /backup/job-1/hashes/2000';

function disk(changes: object = {}): object {
  return { id: 'disk-2000', label: 'Hard disk 1', vmdk_path: '[ds] web.vmdk', capacity_bytes: 1024, ...changes };
}

function vm(changes: object = {}): object {
  return { id: '4200-aa', name: 'web', path: '/DC1/vm/web', disks: [disk()], networks: [], ...changes };
}

function copied(changes: object = {}): object {
  return { device_key: 2000, bytes_transferred: 512, total_bytes: 1024, status: 'Streaming', ...changes };
}

describe('the HTTP client of an agent', () => {
  let agent: ScriptedVma;
  let client: HttpVmaClient;
  beforeEach(async () => {
    agent = await ScriptedVma.listen();
    client = new HttpVmaClient(agent.baseUrl, IMPATIENT);
  });
  afterEach(async () => {
    await agent.close();
  });

  const calls: [string, string, () => Promise<unknown>][] = [
    ['check', HEALTH, () => client.check()],
    ['discover', DISCOVER, () => client.discover(ACCOUNT, null)],
    ['start', START, () => client.startBackup(ORDER)],
    ['progress', PROGRESS, () => client.progress('job-1')],
    ['stop', STOP, () => client.stopBackup('job-1')],
  ];
  const refusal = async (call: Promise<unknown>): Promise<Error> => {
    const error = await call.then(
      () => null,
      (reason: unknown) => reason,
    );
    if (!(error instanceof Error)) throw new Error('it was not refused');
    return error;
  };

  describe.each(calls)('in %s', (_name, route, call) => {
    it.each<[string, Reply]>([
      ['never answers', silence],
      ['gets stuck in the middle of its answer', stuck],
      ['drops the connection', dropsConnection],
    ])('says that the agent is away when it %s', async (_what, reply) => {
      agent.on(route, reply);
      await expect(call()).rejects.toBeInstanceOf(VmaAway);
    });

    it('says that the agent is away when nobody listens', async () => {
      await agent.close();
      await expect(call()).rejects.toBeInstanceOf(VmaAway);
    });

    it('follows no redirection: the agent could send the password elsewhere', async () => {
      const elsewhere = await ScriptedVma.listen();
      try {
        agent.on(route, redirectsTo(`${elsewhere.baseUrl}/api/v1/health`));
        await refusal(call());
        expect(elsewhere.asked).toEqual([]);
      } finally {
        await elsewhere.close();
      }
    });
  });

  it.each(calls.filter(([name]) => name === 'discover' || name === 'start'))(
    'passes on a refusal in printable words, and not too many of them: %s',
    async (_name, route, call) => {
      agent.on(route, says(500, `no\u0000such\u001b[31m thing ${'x'.repeat(5000)}`));
      const error = await refusal(call());
      expect(error).toBeInstanceOf(VmaRefuses);
      expect(error.message).toContain('no such [31m thing');
      expect(error.message.length).toBeLessThan(400);
      expect(error.message).not.toMatch(/\p{C}/u);
    },
  );

  it.each(calls.filter(([name]) => name !== 'discover' && name !== 'start'))(
    'passes on no words of a refusal of %s: they may echo what the agent was sent before',
    async (_name, route, call) => {
      agent.on(route, says(500, `cannot log in with ${PASSWORD}`));
      const error = await refusal(call());
      expect(error).toBeInstanceOf(VmaRefuses);
      expect(error.message).toContain('it answered 500');
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('sw0rdfish');
    },
  );

  it.each(calls.filter(([name]) => name !== 'stop'))(
    'takes a web page for nonsense in %s',
    async (_name, route, call) => {
      agent.on(route, html);
      await expect(call()).rejects.toBeInstanceOf(VmaTalksNonsense);
    },
  );

  it.each(calls.filter(([name]) => name !== 'discover'))(
    'reads no more than it may of an endless answer in %s',
    async (_name, route, call) => {
      agent.on(route, endless);
      client = new HttpVmaClient(agent.baseUrl);
      await expect(call()).rejects.toBeInstanceOf(VmaTalksNonsense);
    },
  );

  it('reads no more than it may of an endless list of VMs', async () => {
    agent.on(DISCOVER, endless);
    client = new HttpVmaClient(agent.baseUrl);
    await expect(client.discover(ACCOUNT, null)).rejects.toBeInstanceOf(VmaTalksNonsense);
  }, 20_000);

  it.each<[string, string, (signal: AbortSignal) => Promise<unknown>]>([
    ['check', HEALTH, (signal) => client.check(signal)],
    ['start', START, (signal) => client.startBackup(ORDER, signal)],
    ['progress', PROGRESS, (signal) => client.progress('job-1', signal)],
    ['stop', STOP, (signal) => client.stopBackup('job-1', signal)],
  ])("gives the caller's own reason back when it gives up %s", async (_name, route, call) => {
    agent.on(route, silence);
    client = new HttpVmaClient(agent.baseUrl);
    const controller = new AbortController();
    const asked = expect(call(controller.signal)).rejects.toBe('cancelled');
    await eventually(() => {
      expect(agent.times(route)).toBe(1);
    });
    controller.abort('cancelled');
    await asked;
  });

  describe('of an answer that gets stuck in the middle, amid garbage collections', () => {
    beforeEach(() => {
      agent.on(PROGRESS, stuck);
    });

    it('gives up in time, also when the caller could have cancelled, and lets go of the connection', async () => {
      const { signal } = new AbortController();
      const ends = await amidCollections(() =>
        Promise.allSettled(Array.from({ length: 10 }, (_, n) => client.progress('job-1', n % 2 ? signal : undefined))),
      );
      expect(ends.map((end) => end.status === 'rejected' && end.reason instanceof VmaAway)).toEqual(
        Array.from({ length: 10 }, () => true),
      );
      await eventually(async () => {
        expect(await agent.connections()).toBe(0);
      });
    });

    it('can be cancelled', async () => {
      client = new HttpVmaClient(agent.baseUrl);
      const controller = new AbortController();
      await amidCollections(async () => {
        const asked = expect(client.progress('job-1', controller.signal)).rejects.toBe('cancelled');
        await eventually(() => {
          expect(agent.times(PROGRESS)).toBe(1);
        });
        setTimeout(() => {
          controller.abort('cancelled');
        }, 300);
        await asked;
      });
      await eventually(async () => {
        expect(await agent.connections()).toBe(0);
      });
    });
  });

  describe('of an agent that falls silent after the first line of what it read, amid garbage collections', () => {
    const { signal: nobodys } = new AbortController();
    const readAll = async (signal: AbortSignal, onRange: () => void = () => undefined) => {
      const ranges = await client.sourceRanges('job-1', 2000, signal);
      for await (const range of ranges ?? []) {
        expect(range).toMatchObject({ offset: 0, length: 512 });
        onRange();
      }
    };
    beforeEach(() => {
      agent.on(HASHES, (response) => {
        response.writeHead(200).write(`${JSON.stringify({ offset: 0, length: 512, zero: true })}\n`);
      });
    });
    afterEach(async () => {
      await eventually(async () => {
        expect(await agent.connections()).toBe(0);
      });
    });

    it('says in time that it is away, and lets go of the connection', async () => {
      const ends = await amidCollections(() => Promise.allSettled(Array.from({ length: 10 }, () => readAll(nobodys))));
      expect(ends.map((end) => end.status === 'rejected' && end.reason instanceof VmaAway)).toEqual(
        Array.from({ length: 10 }, () => true),
      );
    });

    it('can be cancelled', async () => {
      client = new HttpVmaClient(agent.baseUrl);
      const controller = new AbortController();
      await amidCollections(async () => {
        const cancelSoon = () => {
          setTimeout(() => {
            controller.abort('cancelled');
          }, 300);
        };
        await expect(readAll(controller.signal, cancelSoon)).rejects.toBe('cancelled');
      });
    });

    it('lets go of the connection when the caller has heard enough, or never listens', async () => {
      client = new HttpVmaClient(agent.baseUrl);
      for await (const range of (await client.sourceRanges('job-1', 2000, nobodys)) ?? []) {
        expect(range.offset).toBe(0);
        break;
      }
      await client.sourceRanges('job-1', 2000, nobodys);
      await amidCollections(async () => {
        await eventually(async () => {
          expect(await agent.connections()).toBe(0);
        });
      });
    });
  });

  it('keeps what the agent read for a caller who listens late, amid garbage collections', async () => {
    const lines = [
      { offset: 0, length: 512, zero: true },
      { end: true, ranges: 1 },
    ];
    agent.on(HASHES, says(200, lines.map((line) => `${JSON.stringify(line)}\n`).join('')));
    await amidCollections(async () => {
      const ranges = await client.sourceRanges('job-1', 2000, new AbortController().signal);
      await pause(300);
      const heard: unknown[] = [];
      for await (const range of ranges ?? []) heard.push(range);
      expect(heard).toEqual([lines[0]]);
    });
  });

  describe('asking for its health', () => {
    it('is content with a healthy agent', async () => {
      agent.on(HEALTH, json({ status: 'healthy', uptime: '5ns' }));
      await client.check();
    });

    it('is not content with another status', async () => {
      agent.on(HEALTH, json({ status: 'degraded' }));
      await expect(client.check()).rejects.toBeInstanceOf(VmaTalksNonsense);
    });
  });

  describe('discovering', () => {
    it('sends the account and reads VMs, whatever else the agent says of them', async () => {
      agent.on(
        DISCOVER,
        json({ vms: [vm({ num_cpu: 4, memory_mb: 2048, cpus: 0, disks: [disk({ unit_number: 3, news: true })] })] }),
      );
      const [found] = await client.discover(ACCOUNT, 'web,db');
      expect(found).toMatchObject({ id: '4200-aa', name: 'web', cpuCount: 4, memoryMb: 2048, networks: [] });
      expect(found?.disks).toEqual([
        expect.objectContaining({ deviceKey: 2000, capacityBytes: 1024, vmdkPath: '[ds] web.vmdk', unitNumber: 3 }),
      ]);
      const { vcenterHost: vcenter, username, password, datacenter } = ACCOUNT;
      expect(agent.asked[0]?.body).toEqual({ vcenter, username, password, datacenter, filter: 'web,db' });
    });

    it('takes an empty datacenter for what it is', async () => {
      agent.on(DISCOVER, json({ vms: null }));
      await expect(client.discover(ACCOUNT, null)).resolves.toEqual([]);
    });

    it.each([
      ['two disks of one key', vm({ disks: [disk(), disk({ label: 'Hard disk 2' })] })],
      ['a disk of no size', vm({ disks: [disk({ capacity_bytes: 0 })] })],
      ['a disk of a negative size', vm({ disks: [disk({ capacity_bytes: -1 })] })],
      ['a size that numbers cannot hold', vm({ disks: [disk({ capacity_bytes: 2 ** 53 })] })],
      ['half a byte', vm({ disks: [disk({ capacity_bytes: 0.5 })] })],
      ['a disk without a key', vm({ disks: [disk({ id: 'disk-first' })] })],
      ['a VM without a name', vm({ name: '' })],
      ['a name that is a book', vm({ name: 'x'.repeat(5000) })],
      ['memory below zero', vm({ memory_mb: -1 })],
      ['a VM that is a word', 'web'],
    ])('does not believe in %s', async (_what, impossible) => {
      agent.on(DISCOVER, json({ vms: [impossible] }));
      await expect(client.discover(ACCOUNT, null)).rejects.toBeInstanceOf(VmaTalksNonsense);
    });
  });

  describe('starting a backup', () => {
    it('sends the fields that agents have always read, and beside them each disk', async () => {
      agent.on(START, json({ job_id: 'job-1', status: 'started', pid: 7 }));
      await client.startBackup(ORDER);
      expect(agent.asked[0]?.body).toEqual({
        job_id: 'job-1',
        vm_name: 'web',
        vm_path: '/DC1/vm/web',
        vcenter_host: 'vcenter.example',
        vcenter_user: 'backup@vsphere.local',
        vcenter_password: PASSWORD,
        nbd_host: '127.0.0.1',
        nbd_targets: '2000:nbd://127.0.0.1:10100/aa,2001:nbd://127.0.0.1:10101/bb',
        backup_type: 'full',
        previous_change_id: '',
        disks: [
          {
            device_key: 2000,
            nbd_url: 'nbd://127.0.0.1:10100/aa',
            mode: 'full',
            base_change_id: null,
            size_bytes: 1024,
          },
          {
            device_key: 2001,
            nbd_url: 'nbd://127.0.0.1:10101/bb',
            mode: 'full',
            base_change_id: null,
            size_bytes: 2048,
          },
        ],
      });
    });

    it('is done when the agent knows the job already', async () => {
      agent.on(START, says(409, 'job-1 runs'));
      await client.startBackup(ORDER);
    });
  });

  describe.each(calls.filter(([name]) => name === 'discover' || name === 'start'))(
    'the password given to %s',
    (_name, route, call) => {
      it.each<[string, string]>([
        ['as it is', `cannot log in with ${PASSWORD}!`],
        ['as JSON has it', JSON.stringify({ vcenter_password: PASSWORD })],
        ["as Go's JSON has it", JSON.stringify({ vcenter_password: PASSWORD }).replaceAll('&', String.raw`\u0026`)],
        ['as a URL has it', `GET /sdk?password=${encodeURIComponent(PASSWORD)}`],
        ['as a form has it', `body ${new URLSearchParams({ password: PASSWORD }).toString()}`],
      ])('is in no error when the agent echoes it %s', async (_how, echo) => {
        agent.on(route, says(500, echo));
        const shown = inspect(await refusal(call()), { depth: 10, showHidden: true });
        expect(shown).toContain('***');
        expect(shown).not.toContain('sw0rdfish');
      });

      it('is in no error when the answer is nonsense', async () => {
        agent.on(route, json({ [PASSWORD]: PASSWORD, job_id: { [PASSWORD]: 1 }, vms: [{ [PASSWORD]: PASSWORD }] }));
        const shown = inspect(await refusal(call()), { depth: 10, showHidden: true });
        expect(shown).not.toContain('sw0rdfish');
      });

      it('is in no error when the agent is away', async () => {
        agent.on(route, dropsConnection);
        const shown = inspect(await refusal(call()), { depth: 10, showHidden: true });
        expect(shown).not.toContain('sw0rdfish');
      });
    },
  );

  it('leaves the words of a refusal whole when the password is empty', async () => {
    agent.on(DISCOVER, says(500, 'no such datacenter'));
    const error = await refusal(client.discover({ ...ACCOUNT, password: '' }, null));
    expect(error.message).toContain('no such datacenter');
  });

  describe('asking for progress', () => {
    const progress = (answer: unknown) => {
      agent.on(PROGRESS, json(answer));
      return client.progress('job-1');
    };

    it('knows no progress of a job that the agent does not know', async () => {
      agent.on(PROGRESS, says(404, 'unknown job'));
      await expect(client.progress('job-1')).resolves.toBeNull();
    });

    it('asks for the job and for nothing else, whatever its id', async () => {
      agent.on('GET /progress/..%2Fhealth%3Fa', says(404, 'unknown job'));
      await client.progress('../health?a');
      expect(agent.asked.map(({ route }) => route)).toEqual(['GET /progress/..%2Fhealth%3Fa']);
    });

    it('reads disks by their key or by their id', async () => {
      const untold = { mode: null, baseChangeId: null };
      const disks = [
        copied({ change_id: '52 ab/7', status: 'Completed' }),
        { disk_id: '2001', bytes_transferred: 0, total_bytes: 2048 },
      ];
      await expect(progress({ status: 'in_progress', disk_progresses: disks })).resolves.toEqual({
        status: 'running',
        error: null,
        lastError: null,
        bytesTransferred: null,
        totalBytes: null,
        disks: [
          { deviceKey: 2000, bytesTransferred: 512, totalBytes: 1024, changeId: '52 ab/7', failed: false, ...untold },
          { deviceKey: 2001, bytesTransferred: 0, totalBytes: 2048, changeId: null, failed: false, ...untold },
        ],
      });
    });

    it.each([
      ['Queued', 'running'],
      ['in_progress', 'running'],
      ['anything', 'running'],
      ['completed', 'completed'],
      ['failed', 'failed'],
      ['Failed', 'failed'],
    ])('understands the status %s', async (word, status) => {
      await expect(progress({ status: word })).resolves.toMatchObject({ status, disks: [] });
    });

    it.each([
      ['the last error', { last_error: 'no route', errors: ['older'] }, 'no route'],
      ['the first of the errors', { last_error: null, errors: ['first', 'second'] }, 'first'],
      ['nothing', { errors: [] }, null],
    ])('tells %s', async (_what, said, error) => {
      await expect(progress({ status: 'failed', ...said })).resolves.toMatchObject({ error });
    });

    it.each([
      ['no status', {}],
      ['a list', []],
      ['a disk without a name', { status: 'x', disk_progresses: [copied({ device_key: undefined })] }],
      ['bytes below zero', { status: 'x', disk_progresses: [copied({ bytes_transferred: -1 })] }],
      ['bytes in words', { status: 'x', disk_progresses: [copied({ bytes_transferred: '512' })] }],
      ['more bytes than numbers hold', { status: 'x', disk_progresses: [copied({ bytes_transferred: 1e300 })] }],
      ['more disks than VMs have', { status: 'x', disk_progresses: Array.from({ length: 500 }, () => copied()) }],
    ])('takes %s for nonsense', async (_what, answer) => {
      await expect(progress(answer)).rejects.toBeInstanceOf(VmaTalksNonsense);
    });
  });

  describe('telling it to stop', () => {
    it('is true when the agent was told, whatever it answers', async () => {
      agent.on(STOP, html);
      await expect(client.stopBackup('job-1')).resolves.toBe(true);
      expect(agent.asked).toEqual([{ route: STOP, body: { job_id: 'job-1' } }]);
    });

    it.each([404, 405, 501])('is false when the agent cannot be told (%d)', async (status) => {
      agent.on(STOP, says(status, 'no'));
      await expect(client.stopBackup('job-1')).resolves.toBe(false);
    });
  });
});
