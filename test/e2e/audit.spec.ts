import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { eventually } from '../kit/eventually.js';
import { startTestLab } from '../kit/lab.js';
import { endOf, protect, type ProtectedVm, startBackup } from '../kit/protected-vm.js';
import { runningOma, type RunningOma } from '../kit/running-oma.js';

interface AuditEvent {
  readonly position: string;
  readonly event_id: string;
  readonly type: string;
  readonly stream: string;
  readonly recorded_at: string;
  readonly correlation_id: string;
  readonly actor: { readonly kind: string; readonly id: string; readonly name: string | null };
  readonly causation_id: string;
  readonly caused_by: { readonly event_id?: string; readonly type?: string; readonly command_id?: string };
}

interface Page {
  readonly events: AuditEvent[];
  readonly next_cursor: string | null;
}

describe('jobs and the audit trail', () => {
  let oma: RunningOma;
  let lab: Awaited<ReturnType<typeof startTestLab>>;
  let vm: ProtectedVm;
  let jobId: string;

  beforeAll(async () => {
    lab = await startTestLab();
    oma = await runningOma({ OMA_VMA_URL: lab.url, OMA_NBD_PORTS: '20600-20699' });
    vm = await protect(oma.api, lab, 'db-01', oma.dataDir);
    jobId = await startBackup(oma.api, vm);
    await endOf(oma.api, jobId);
  }, 120_000);

  afterAll(async () => {
    await oma.clear();
    await lab.clear();
  });

  const audit = async (query: string) => (await oma.api.get<Page>(`/audit?${query}`)).body;
  const all = async (query: string) => {
    const events: AuditEvent[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Page = await audit(`${query}&limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`);
      events.push(...page.events);
      cursor = page.next_cursor;
    }
    return events;
  };

  it('traces everything that a request set in motion back to who asked', async () => {
    const { body: job } = await oma.api.get(`/jobs/${jobId}`);
    const events = await eventually(async () => {
      const found = await all(`correlation=${String(job['correlation_id'])}`);
      expect(found.map((event) => event.type)).toContain('VmReleased');
      return found;
    });
    const byId = new Map(events.map((event) => [event.event_id, event]));
    for (const event of events) {
      let cause = event;
      for (let steps = 0; cause.caused_by.event_id !== undefined && steps < 100; steps += 1) {
        const next = byId.get(cause.caused_by.event_id);
        expect(next?.type).toBe(cause.caused_by.type);
        if (next === undefined) break;
        cause = next;
      }
      expect(cause).toMatchObject({ type: 'VmHeld', actor: { kind: 'user', name: 'admin' } });
    }
    expect(new Set(events.map((event) => event.event_id)).size).toBe(events.length);
  });

  it('has each fact of the backup once', async () => {
    const events = await all(`stream=backup-${jobId}`);
    expect(events.map((event) => event.type)).toEqual(['BackupCompleted', 'BackupProven', 'BackupStarted']);
  });

  it.each(['actor=admin', 'actor=takebackup', 'type=BackupCompleted'])('filters by %s', async (filter) => {
    const [name, value = ''] = filter.split('=');
    const events = await all(filter);
    expect(events.length).toBeGreaterThan(0);
    for (const event of events) {
      const seen = name === 'type' ? [event.type] : [event.actor.name, event.actor.id];
      expect(seen).toContain(value);
    }
  });

  it('refuses a type of which there is no event', async () => {
    expect(await oma.api.get('/audit?type=Nonsense')).toMatchObject({
      status: 400,
      body: { code: 'malformed-request', detail: 'type: "Nonsense" is no event type; docs/events.md lists them' },
    });
  });

  it('filters by time, and pages without losing or doubling anything', async () => {
    const events = await all('');
    expect(events.map((event) => event.position)).toEqual(
      [...new Set(events.map((event) => event.position))].sort().reverse(),
    );
    const middle = events[Math.floor(events.length / 2)]?.recorded_at ?? '';
    const [later, earlier] = await Promise.all([all(`from=${middle}`), all(`to=${middle}`)]);
    expect(later.length + earlier.length).toBeGreaterThanOrEqual(events.length);
    expect(earlier.every((event) => event.recorded_at < middle)).toBe(true);
    expect(await oma.api.get('/audit?from=yesterday')).toMatchObject({ status: 400 });
    expect(await oma.api.get('/audit?who=me')).toMatchObject({ status: 400 });
  });

  it('shows the steps of a job, planned and done', async () => {
    lab.misbehave({ hang_at_byte: 1024 * 1024 });
    const running = await startBackup(oma.api, vm);
    const steps = await eventually(async () => {
      const { body } = await oma.api.get<{ steps: { status: string }[]; current_step: string }>(`/jobs/${running}`);
      expect(body.current_step).toBe('Copy the disks');
      return body.steps.map((step) => step.status);
    });
    expect(new Set(steps)).toEqual(new Set(['completed', 'running', 'planned']));
    await oma.api.post(`/jobs/${running}/cancel`);
    await endOf(oma.api, running);
    lab.misbehave({});
  });

  it('lists jobs by kind, state and VM, newest first', async () => {
    const { body } = await oma.api.get<{ jobs: { job_id: string; status: string }[] }>(
      `/jobs?job_type=backup&status=completed&vm_context_id=${vm.contextId}`,
    );
    expect(body.jobs.map((job) => job.job_id)).toEqual([jobId]);
    const { body: none } = await oma.api.get<{ jobs: unknown[] }>('/jobs?job_type=restore_mount');
    expect(none.jobs).toEqual([]);
  });

  it('lists backups by every filter that is given', async () => {
    const list = async (query: string) => (await oma.api.get<{ total: number }>(`/backup/list?${query}`)).body.total;
    expect(await list('vm_name=db-01&status=completed')).toBe(1);
    expect(await list(`vm_name=db-01&repository_id=other`)).toBe(0);
    expect(await list(`vm_context_id=${vm.contextId}&backup_type=full`)).toBe(2);
    expect(await oma.api.get('/backup/list?vm_name=nobody')).toMatchObject({ status: 404 });
  });

  it('shows admins how far each projection is', async () => {
    const { body } = await oma.api.get<{ projections: { name: string; status: string; lag_seconds: number }[] }>(
      '/projections',
    );
    expect(body.projections.map((one) => one.name)).toEqual(expect.arrayContaining(['audit', 'backup', 'job']));
    expect(body.projections.every((one) => one.status === 'running')).toBe(true);
    expect(await oma.api.post('/projections/backup/retry')).toMatchObject({
      status: 409,
      body: { code: 'no-stopped-projection' },
    });
  });
});
