import type { z } from 'zod';

import type { AgentWays } from '#domain/backup/effects';

import { within } from '#platform/clock/within';
import { without } from './redaction.js';
import { printable, VmaAway, VmaRefuses, VmaTalksNonsense } from './vma.errors.js';
import { sourceRanges } from './source-ranges.js';
import { startBody } from './start-body.js';
import { discoverAnswer, healthAnswer, preflightAnswer, progressAnswer, startAnswer } from './vma.schemas.js';
import {
  type AgentProgress,
  type BackupOrder,
  type DiskNow,
  type FoundVm,
  type SourceRange,
  type VcenterAccount,
  VmaClient,
} from './vma-client.port.js';

const MS = 1000;
const MIB = 1024 * 1024;
const NO_SUCH_ROUTE = [404, 405, 501];

/** Limits of one call: how long its whole answer may take, and how large it may be. */
interface Limits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

const CHECK: Limits = { timeoutMs: 5 * MS, maxBytes: MIB };
const DISCOVER: Limits = { timeoutMs: 60 * MS, maxBytes: 64 * MIB };
const START: Limits = { timeoutMs: 30 * MS, maxBytes: MIB };
const PROGRESS: Limits = { timeoutMs: 10 * MS, maxBytes: MIB };
const PREFLIGHT: Limits = { timeoutMs: 10 * MS, maxBytes: MIB };
/** The answer may be long, but not silent for so long. */
const HASHES_IDLE_MS = 30 * MS;
const STOP: Limits = { timeoutMs: 5 * MS, maxBytes: MIB };

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  readonly limits: Limits;
  readonly signal?: AbortSignal | undefined;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** The agent's HTTP interface (contract-a 17, contract-c 5.6). */
export class HttpVmaClient extends VmaClient {
  constructor(
    /** Without `/api/v1`. */
    private readonly baseUrl: string,
    /** All time limits are multiplied by this; tests are impatient. */
    private readonly patience = 1,
  ) {
    super();
  }

  async check(signal?: AbortSignal): Promise<AgentWays> {
    return read(await this.call({ method: 'GET', path: '/health', limits: CHECK, signal }), healthAnswer, 'its health');
  }

  async discover(account: VcenterAccount, filter: string | null): Promise<readonly FoundVm[]> {
    const { vcenterHost, username, password, datacenter } = account;
    const body = { vcenter: vcenterHost, username, password, datacenter, ...(filter !== null && { filter }) };
    const answer = await this.call({
      method: 'POST',
      path: '/discover',
      body,
      limits: DISCOVER,
    });
    return read(answer, discoverAnswer, 'a list of VMs', password).vms;
  }

  /** An agent that knows the job already was told before: nothing more is to do. */
  async startBackup(order: BackupOrder, signal?: AbortSignal): Promise<void> {
    const answer = await this.call({
      method: 'POST',
      path: '/backup/start',
      body: startBody(order),
      limits: START,
      signal,
    });
    if (answer.status === 409) return;
    read(answer, startAnswer, 'the start of a backup', order.account.password);
  }

  async preflight(
    vmPath: string,
    { vcenterHost, username, password }: VcenterAccount,
    disks: readonly { readonly deviceKey: number; readonly baseChangeId: string | null }[],
  ): Promise<ReadonlyMap<number, DiskNow> | null> {
    const body = {
      vm_path: vmPath,
      vcenter_host: vcenterHost,
      vcenter_user: username,
      vcenter_password: password,
      disks: disks.map((disk) => ({ device_key: disk.deviceKey, base_change_id: disk.baseChangeId })),
    };
    const answer = await this.call({ method: 'POST', path: '/backup/preflight', body, limits: PREFLIGHT });
    if (NO_SUCH_ROUTE.includes(answer.status)) return null;
    const found = read(answer, preflightAnswer, 'the state of the disks', password);
    return new Map(found.disks.map(({ deviceKey, ...now }) => [deviceKey, now]));
  }

  async progress(jobId: string, signal?: AbortSignal): Promise<AgentProgress | null> {
    const path = `/progress/${encodeURIComponent(jobId)}`;
    const answer = await this.call({ method: 'GET', path, limits: PROGRESS, signal });
    return answer.status === 404 ? null : read(answer, progressAnswer, 'the progress of a job');
  }

  async stopBackup(jobId: string, signal?: AbortSignal): Promise<boolean> {
    const body = { job_id: jobId };
    const answer = await this.call({ method: 'POST', path: '/backup/stop', body, limits: STOP, signal });
    if (NO_SUCH_ROUTE.includes(answer.status)) return false;
    if (!isSuccess(answer)) throw new VmaRefuses(inNumbers(answer));
    return true;
  }

  async sourceRanges(
    jobId: string,
    deviceKey: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<SourceRange> | null> {
    const url = `${this.baseUrl}/api/v1/backup/${encodeURIComponent(jobId)}/hashes/${deviceKey}`;
    return sourceRanges(url, HASHES_IDLE_MS * this.patience, signal);
  }

  private async call({ method, path, body, limits, signal }: Call): Promise<Answer> {
    try {
      return await within(limits.timeoutMs * this.patience, signal, async (either) => {
        const response = await fetch(`${this.baseUrl}/api/v1${path}`, {
          method,
          signal: either,
          redirect: 'error',
          ...(body !== undefined && {
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
          }),
        });
        return { status: response.status, text: await limitedText(response, limits.maxBytes, either) };
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof VmaTalksNonsense) throw error;
      throw new VmaAway();
    }
  }
}

/** Stops reading, and lets go of the connection, at `maxBytes` and when the signal aborts. */
async function limitedText(response: Response, maxBytes: number, signal: AbortSignal): Promise<string> {
  if (response.body === null) return '';
  const reader = response.body.getReader();
  const letGo = () => {
    // The connection may be broken already; then there is nothing to let go of.
    reader.cancel().catch(() => undefined);
  };
  signal.addEventListener('abort', letGo, { once: true });
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { value } = (await reader.read()) as { readonly value?: Uint8Array };
    if (value === undefined) return Buffer.concat(parts).toString();
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      letGo();
      throw new VmaTalksNonsense('the answer is too long');
    }
    parts.push(value);
  }
}

function inNumbers({ status }: Answer): string {
  return `it answered ${status}`;
}

function isSuccess({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

/**
 * The answer as its schema reads it. `what` names it to the user. Of a refusal the agent's words are passed on, without the
 * secret that it was sent with the question; where nothing was sent they aren't: they may echo what was sent before.
 */
function read<Schema extends z.ZodType>(
  answer: Answer,
  schema: Schema,
  what: string,
  secret?: string,
): z.output<Schema> {
  if (!isSuccess(answer)) {
    throw new VmaRefuses(secret === undefined ? inNumbers(answer) : without(secret, answer.text));
  }
  let json: unknown;
  try {
    json = JSON.parse(answer.text);
  } catch {
    throw new VmaTalksNonsense(`${what} isn't JSON`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
  throw new VmaTalksNonsense(printable(`${what} is wrong at: ${places}`));
}
