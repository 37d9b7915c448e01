import { z } from 'zod';

import type { HashedRange } from '../copy/hashed-ranges.js';
import { legacyOrders, modernOrders, vmAccess } from './backup-order.js';
import { BackupRun, type RunContacts } from './backup-run.js';
import type { Misbehaviour } from './misbehaviour.js';
import { legacyProgressOf, progressOf } from './progress.js';
import { Refusal } from './refusal.js';
import { understood } from './understood.js';
import type { Vcenter } from './vcenter.js';

/** `modern` does what it is told; `legacy` is told of exports only, and asks OMA from which change on to copy. */
export type AgentKind = 'modern' | 'legacy';

const discovery = z.object({
  vcenter: z.string().default(''),
  username: z.string().default(''),
  password: z.string().default(''),
  datacenter: z.string().default(''),
  filter: z.string().nullish(),
});
const preflightQuestion = vmAccess.extend({
  disks: z.array(z.object({ device_key: z.int(), base_change_id: z.string().nullable() })).min(1, 'must name a disk'),
});
const stopOrder = z.object({ job_id: z.string().min(1, 'is required') });

/** What the agent answers to each question; refusals are thrown. Jobs live in memory only. */
export class Agent {
  private readonly runs = new Map<string, { readonly run: BackupRun; readonly ended: Promise<void> }>();
  private readonly startedAt = Date.now();

  constructor(
    readonly kind: AgentKind,
    private readonly vcenter: Vcenter,
    private readonly misbehaviour: Misbehaviour,
    private readonly contacts: RunContacts,
  ) {}

  health(): object {
    const capabilities = ['disks', 'stop', 'preflight', ...(this.offersHashes ? ['hashes'] : [])];
    return {
      status: 'healthy',
      timestamp: new Date().toISOString(),
      uptime: `${Date.now() - this.startedAt}ms`,
      ...(this.kind === 'modern' && { capabilities }),
    };
  }

  discover(body: unknown): object {
    const { vcenter: host, username, password, datacenter, filter } = understood(discovery, body);
    this.refuseQuestions();
    this.vcenter.signIn({ host, username, password });
    const hidden = { disks: this.hidden, vms: this.misbehaviour.settings.hide_vms ?? [] };
    return { vcenter: { host, datacenter }, vms: this.vcenter.describe(datacenter, filter ?? '', hidden) };
  }

  preflight(body: unknown): object {
    const question = understood(preflightQuestion, body);
    this.refuseQuestions();
    this.signIn(question);
    const vm = this.vcenter.find(question.vm_path);
    // All that the VM has, also those that were not asked about: who asks may not know of them.
    const shown = vm.disks.filter(({ deviceKey }) => !this.hidden.includes(deviceKey));
    const disks = shown.map((disk) => {
      const base = question.disks.find(({ device_key }) => device_key === disk.deviceKey)?.base_change_id ?? null;
      return {
        device_key: disk.deviceKey,
        size_bytes: disk.sizeBytes,
        change_tracking: disk.trackingState(base),
      };
    });
    return { disks };
  }

  /** Answers when the snapshots are there: what a guest writes afterwards is no part of the backup. */
  async startBackup(body: unknown): Promise<object> {
    const orders = this.kind === 'modern' ? modernOrders : legacyOrders;
    const order = understood(orders.schema, body);
    const { refuse_start } = this.misbehaviour.settings;
    if (refuse_start !== undefined) throw new Refusal(500, refuse_start);
    if (this.runs.has(order.job_id)) throw new Refusal(409, `job ${order.job_id} is known already`);
    this.signIn(order);
    const vm = this.vcenter.find(order.vm_path);
    const run = new BackupRun(order.job_id, vm, orders.disks(body, vm), this.misbehaviour, this.contacts);
    const prepared = run.prepare();
    this.runs.set(order.job_id, { run, ended: prepared.then(() => this.run(run)) });
    await prepared;
    return {
      job_id: order.job_id,
      status: 'started',
      message: `backup of ${vm.name} started`,
      started_at: run.startedAt.toISOString(),
      pid: process.pid,
    };
  }

  progress(jobId: string): object {
    const run = this.known(jobId);
    return this.kind === 'modern' ? progressOf(run, this.misbehaviour.settings.lie_about_bytes) : legacyProgressOf(run);
  }

  /** What was read of a disk, in lines of JSON. */
  hashes(jobId: string, deviceKey: string): string {
    const disk = this.known(jobId).disks.find(({ ordered }) => String(ordered.disk.deviceKey) === deviceKey);
    const wasHashed = disk !== undefined && (disk.hashes.length > 0 || disk.totalBytes === 0);
    if (disk?.complete !== true || !wasHashed || !this.offersHashes) {
      throw new Refusal(404, `no hashes of disk ${deviceKey} of job ${jobId}`);
    }
    const wrong = this.misbehaviour.settings.wrong_hashes === true;
    const lines: object[] = disk.hashes.map((range) => hashLine(range, wrong));
    return [...lines, { end: true, ranges: lines.length }].map((line) => `${JSON.stringify(line)}\n`).join('');
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
    this.contacts.abandon();
    await Promise.allSettled(runs.map(({ ended }) => ended));
    // Their last words, too.
    this.contacts.abandon();
  }

  private async run(run: BackupRun): Promise<void> {
    const over = this.contacts.follow(run);
    await run.run();
    over();
  }

  private refuseQuestions(): void {
    const { refuse_questions } = this.misbehaviour.settings;
    if (refuse_questions !== undefined) throw new Refusal(500, refuse_questions);
  }

  private get hidden(): readonly number[] {
    return this.misbehaviour.settings.hide_disks ?? [];
  }

  private get offersHashes(): boolean {
    return this.misbehaviour.settings.no_hashes !== true;
  }

  private signIn({
    vcenter_host: host,
    vcenter_user: username,
    vcenter_password: password,
  }: z.infer<typeof vmAccess>): void {
    this.vcenter.signIn({ host, username, password });
  }

  private known(jobId: string): BackupRun {
    const found = this.runs.get(jobId);
    if (found === undefined) throw new Refusal(404, `job ${jobId} not found`);
    return found.run;
  }
}

function hashLine({ offset, length, sha256 }: HashedRange, wrong: boolean): object {
  if (sha256 === null) return { offset, length, zero: true };
  return { offset, length, sha256: wrong ? Buffer.from(sha256, 'hex').reverse().toString('hex') : sha256 };
}
