import { setTimeout as pause } from 'node:timers/promises';

import type { MountParts } from '#platform/mounts/mount-parts';
import { isMounted } from '#platform/mounts/mount-table';
import type { ProcessRunner } from '#platform/processes/process-runner.port';
import type { NbdExports } from '#platform/qemu/nbd-exports';

import { findTraces, type Owner, type Trace } from './traces.js';

/** What may lie in the run directory: the traces of an export or of a mount. */
export type OrphanKind = Owner['kind'];

/** Something of OMA's own that nothing in the log asks for any more. */
export interface Orphan {
  readonly kind: OrphanKind;
  readonly id: string;
  /** What was found of it, for the log. */
  readonly found: readonly string[];
  /** What of it could not be removed. */
  readonly left: readonly string[];
}

const UNMOUNT_SECONDS = 10;
/** A backup's export may have much in memory to write before it ends. */
const GRACE_SECONDS = 10;
/** A process that lives on even so waits in the kernel: the start of OMA doesn't wait for it. */
const GIVE_UP_SECONDS = GRACE_SECONDS + 5;

/**
 * Finds and removes what is left in OMA's own run directory without an owner: processes, mounts, sockets, folders and ports
 * of exports. Nothing outside the run directory and no other program is ever touched. To be used before anything is begun.
 */
export class Orphans {
  constructor(
    private readonly runDir: string,
    private readonly runner: ProcessRunner,
    private readonly nbdExports: NbdExports,
    private readonly mounts: MountParts,
  ) {}

  /**
   * Answers what was found and what of it could not be removed, for which it does not throw. `isOwned` says whether a job
   * or an open mount still has a use for it.
   */
  async sweep(isOwned: (kind: OrphanKind, id: string) => boolean): Promise<readonly Orphan[]> {
    const found = (await this.traces()).filter(({ owner }) => !isOwned(owner.kind, owner.id));
    const owners = [...new Map(found.map(({ owner }) => [`${owner.kind} ${owner.id}`, owner])).values()];
    await Promise.all(owners.map((owner) => this.remove(tracesOf(found, owner)).catch(() => undefined)));
    const left = owners.length === 0 ? [] : await this.traces();
    return owners.map((owner) => ({
      ...owner,
      found: tracesOf(found, owner).map(inWords),
      left: tracesOf(left, owner).map(inWords),
    }));
  }

  private traces(): Promise<readonly Trace[]> {
    return findTraces(this.runDir, this.nbdExports);
  }

  /** Mounts first, then processes, then files and ports; throws when a folder can't be removed. */
  private async remove(traces: readonly Trace[]): Promise<void> {
    const places = traces.flatMap((trace) => (trace.kind === 'mount' ? [trace.place] : []));
    const innermostFirst = places.toSorted((one, other) => other.length - one.length);
    for (const place of innermostFirst) await this.unmount(place, []);
    await this.endProcesses(traces);
    for (const place of innermostFirst) if (await isMounted(place)) await this.unmount(place, ['-z']);
    for (const { kind, owner } of traces) {
      if (kind === 'folder') await this.removeFolder(owner);
      if (kind === 'port') await this.nbdExports.ports.release(owner.id);
    }
  }

  /** All at once: one may wait for another. */
  private async endProcesses(traces: readonly Trace[]): Promise<void> {
    const daemons = traces.flatMap((trace) => (trace.kind === 'process' ? [trace.daemon] : []));
    const ended = Promise.all(daemons.map((daemon) => this.runner.stopDaemon(daemon, GRACE_SECONDS)));
    await Promise.race([ended, pause(GIVE_UP_SECONDS * 1000, undefined, { ref: false })]);
  }

  /** Files and empty folders only: should something still be mounted there, nothing of it is lost. */
  private async removeFolder({ kind, id }: Owner): Promise<void> {
    await (kind === 'mount' ? this.mounts.folder(id).remove() : this.nbdExports.tidy(id));
  }

  private async unmount(place: string, options: readonly string[]): Promise<void> {
    const args = ['-u', ...options, '--', place];
    await this.runner.run({ program: 'fusermount3', args, timeoutSeconds: UNMOUNT_SECONDS });
  }
}

function tracesOf(traces: readonly Trace[], { kind, id }: Owner): readonly Trace[] {
  return traces.filter(({ owner }) => owner.kind === kind && owner.id === id);
}

function inWords(trace: Trace): string {
  if (trace.kind === 'process') return `${trace.program} (process ${trace.daemon.pid})`;
  return trace.kind === 'mount' ? `mount ${trace.place}` : trace.kind;
}
