import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

import type { Answer, ApiClient, Json } from '../../kit/api-client.js';

/** Something that an instance said it has done. */
export interface Acknowledged {
  /** Also the correlation of everything that it caused. */
  readonly key: string;
  readonly kind: Kind;
}

export type Kind = 'repository' | 'credential' | 'user' | 'backup' | 'mount' | 'vm';

/** What the writers write to and about. */
export interface Place {
  readonly instances: readonly { readonly api: ApiClient }[];
  readonly folder: string;
  readonly vms: readonly { readonly name: string; readonly contextId: string }[];
  readonly repositoryId: string;
  readonly credentialId: number;
  readonly pointToMount: string;
}

/** Each of these has a name of its own. */
const NEVER_REFUSED: readonly Kind[] = ['repository', 'credential', 'user'];
const REQUEST_MS = 20_000;
const RETRY_MS = 100;
/** So many mounts are left alone, and closed by OMA's own clock. */
const FORGOTTEN = 1 / 3;
/** So many commands are sent once more after their answer, as by somebody who didn't hear it. */
const UNHEARD = 1 / 3;
/** A command is offered for so long until somebody answers. */
const OFFER_MS = 60_000;

/** One of the many who write; each request goes to any instance, and again to any until one answers. */
export class Writer {
  readonly acknowledged: Acknowledged[] = [];
  readonly counts = { sent: 0, again: 0, repeated: 0, refused: 0 };
  /** Refusals of what nothing stands in the way of, unless it was done before. */
  readonly wronglyRefused: string[] = [];
  /** Commands that got another answer when they were sent once more with the same key. */
  readonly answeredOtherwise: string[] = [];

  constructor(
    private readonly place: Place,
    private readonly random: () => number,
    private readonly kinds: readonly Kind[],
  ) {}

  async write(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const kind = this.pick(this.kinds);
      await (kind === 'mount' ? this.mountAndRead() : this.command(kind));
      await pause(20 + this.random() * 200);
    }
  }

  private async command(kind: Exclude<Kind, 'mount'>): Promise<void> {
    const key = randomUUID();
    const { path, body } = this.request(kind, key);
    const send = (api: ApiClient) => api.post(path, body, headersOf(key));
    const answer = await this.offer(send);
    this.note(key, kind, answer);
    // A refusal isn't kept: what stood in the way may be gone.
    if (answer.status >= 400 || this.random() >= UNHEARD) return;
    const again = await this.offer(send);
    this.counts.repeated += 1;
    if (again.status === answer.status && isDeepStrictEqual(again.body, answer.body)) return;
    this.answeredOtherwise.push(`${kind} ${key}: ${again.status} ${JSON.stringify(again.body)}`);
  }

  /** A mount is at one instance: its files are read there, and refused by name elsewhere. */
  private async mountAndRead(): Promise<void> {
    const key = randomUUID();
    const home = this.anyInstance();
    const answer = await once(() =>
      home.post('/restore/mount', { backup_id: this.place.pointToMount }, headersOf(key)),
    );
    if (answer?.status !== 200) return;
    this.note(key, 'mount', answer);
    const mountId = String(answer.body['mount_id']);
    for (const { api } of this.place.instances) {
      const listing = await once(() => api.get(`/restore/${mountId}/files?path=/`));
      if (listing !== null && ![200, 409, 410, 503].includes(listing.status)) {
        throw new Error(`reading a mount answered ${listing.status}: ${JSON.stringify(listing.body)}`);
      }
    }
    if (this.random() < FORGOTTEN) return;
    await this.offer((api) => api.delete(`/restore/${mountId}`));
  }

  private request(kind: Exclude<Kind, 'mount'>, key: string): { readonly path: string; readonly body: Json } {
    const { folder, credentialId, repositoryId, vms } = this.place;
    switch (kind) {
      case 'repository':
        return {
          path: '/repositories',
          body: { name: `repository ${key}`, type: 'local', config: { path: join(folder, key) } },
        };
      case 'credential':
        return {
          path: '/vmware-credentials',
          body: {
            credential_name: `credential ${key}`,
            vcenter_host: `vcenter-${key}.example`,
            username: 'somebody',
            password: 'never in the log',
            datacenter: 'Lab',
          },
        };
      case 'user':
        return { path: '/users', body: { username: `user-${key}`, password: 'long enough for it', role: 'viewer' } };
      case 'vm':
        return {
          path: '/discovery/add-vms',
          body: { credential_id: credentialId, vm_names: [this.pick(vms).name] },
        };
      case 'backup':
        return {
          path: '/backup/start',
          body: { vm_name: this.pick(vms).contextId, backup_type: 'auto', repository_id: repositoryId },
        };
    }
  }

  /** The first definite answer. */
  private async offer(send: (api: ApiClient) => Promise<Answer<Json>>): Promise<Answer<Json>> {
    this.counts.sent += 1;
    const deadline = Date.now() + OFFER_MS;
    while (Date.now() < deadline) {
      const answer = await once(() => send(this.anyInstance()));
      if (answer !== null && answer.status < 500 && answer.body['code'] !== 'request-under-way') return answer;
      this.counts.again += 1;
      await pause(RETRY_MS);
    }
    throw new Error('no instance answered a command for a minute');
  }

  private note(key: string, kind: Kind, { status, body }: Answer<Json>): void {
    if (status >= 400) {
      this.counts.refused += 1;
      if (NEVER_REFUSED.includes(kind)) this.wronglyRefused.push(`${kind} ${key}: ${String(body['code'])}`);
      return;
    }
    this.acknowledged.push({ key, kind });
  }

  private anyInstance(): ApiClient {
    return this.pick(this.place.instances).api;
  }

  private pick<One>(of: readonly One[]): One {
    const found = of[Math.floor(this.random() * of.length)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  }
}

function headersOf(key: string): Record<string, string> {
  return { 'idempotency-key': key, 'x-correlation-id': key };
}

/** null when the instance died, or took so long that it may as well have. */
async function once(send: () => Promise<Answer<Json>>): Promise<Answer<Json> | null> {
  const late = new AbortController();
  try {
    return await Promise.race([
      send().catch(() => null),
      pause(REQUEST_MS, null, { signal: late.signal }).catch(() => null),
    ]);
  } finally {
    late.abort();
  }
}
