import { z } from 'zod';

import { backupOrder, orderedDisks } from './backup-order.js';
import { BackupRun } from './backup-run.js';
import type { Misbehaviour } from './misbehaviour.js';
import { progressOf } from './progress.js';
import { Refusal } from './refusal.js';
import type { Vcenter } from './vcenter.js';

const discovery = z.object({
  vcenter: z.string().default(''),
  username: z.string().default(''),
  password: z.string().default(''),
  datacenter: z.string().default(''),
  filter: z.string().nullish(),
});
const stopOrder = z.object({ job_id: z.string().min(1, 'is required') });

/** What the agent answers to each question; refusals are thrown. Jobs live in memory only. */
export class Agent {
  private readonly runs = new Map<string, { readonly run: BackupRun; readonly ended: Promise<void> }>();
  private readonly startedAt = Date.now();

  constructor(
    private readonly vcenter: Vcenter,
    private readonly misbehaviour: Misbehaviour,
  ) {}

  health(): object {
    return { status: 'healthy', timestamp: new Date().toISOString(), uptime: `${Date.now() - this.startedAt}ms` };
  }

  discover(body: unknown): object {
    const { vcenter: host, username, password, datacenter, filter } = understood(discovery, body);
    this.vcenter.signIn({ host, username, password });
    return { vcenter: { host, datacenter }, vms: this.vcenter.describe(datacenter, filter ?? '') };
  }

  startBackup(body: unknown): object {
    const order = understood(backupOrder, body);
    const { refuse_start } = this.misbehaviour.settings;
    if (refuse_start !== undefined) throw new Refusal(500, refuse_start);
    if (this.runs.has(order.job_id)) throw new Refusal(409, `job ${order.job_id} is known already`);
    const { vcenter_host: host, vcenter_user: username, vcenter_password: password } = order;
    this.vcenter.signIn({ host, username, password });
    const vm = this.vcenter.find(order.vm_path);
    const run = new BackupRun(order.job_id, vm, orderedDisks(order, vm), this.misbehaviour);
    this.runs.set(order.job_id, { run, ended: run.run() });
    return {
      job_id: order.job_id,
      status: 'started',
      message: `backup of ${vm.name} started`,
      started_at: run.startedAt.toISOString(),
      pid: process.pid,
    };
  }

  progress(jobId: string): object {
    return progressOf(this.known(jobId));
  }

  stopBackup(body: unknown): object {
    const { job_id } = understood(stopOrder, body);
    this.known(job_id).stop('stopped on request');
    return { job_id, status: 'stopped' };
  }

  /** Ends all copies and forgets their jobs; resolves when none runs any more. */
  async forgetAll(): Promise<void> {
    const runs = [...this.runs.values()];
    this.runs.clear();
    for (const { run } of runs) run.stop('the agent ended');
    await Promise.all(runs.map(({ ended }) => ended));
  }

  private known(jobId: string): BackupRun {
    const found = this.runs.get(jobId);
    if (found === undefined) throw new Refusal(404, `job ${jobId} not found`);
    return found.run;
  }
}

/** Reads a question. Throws the refusal that names every field that is wrong; it repeats no values. */
export function understood<Value>(schema: z.ZodType<Value>, body: unknown): Value {
  const read = schema.safeParse(body);
  if (read.success) return read.data;
  throw new Refusal(
    400,
    read.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim()).join('; '),
  );
}
