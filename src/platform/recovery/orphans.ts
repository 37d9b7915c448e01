import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { MountParts } from '#platform/mounts/mount-parts';
import { mountPoints } from '#platform/mounts/mount-table';
import type { ProcessRunner } from '#platform/processes/process-runner.port';
import { processesWithArgument } from '#platform/processes/process-table';
import type { NbdExports } from '#platform/qemu/nbd-exports';

/** What may lie in the run directory: the traces of an export or of a mount. */
export type OrphanKind = 'export' | 'mount';

/** Something of OMA's own that nothing in the log asks for any more. */
export interface Orphan {
  readonly kind: OrphanKind;
  readonly id: string;
  /** What was found of it, for the log. */
  readonly found: readonly string[];
}

const FOLDERS: Readonly<Record<OrphanKind, string>> = { export: 'exports', mount: 'mounts' };
const GRACE_SECONDS = 5;

/**
 * Finds and removes what is left in OMA's own run directory without an owner: processes, mounts, sockets, folders and ports
 * of exports. Nothing outside the run directory is ever touched.
 */
export class Orphans {
  constructor(
    private readonly runDir: string,
    private readonly runner: ProcessRunner,
    private readonly nbdExports: NbdExports,
    private readonly mounts: MountParts,
  ) {}

  /** Answers what was removed; `isOwned` says whether a job or an open mount still has a use for it. */
  async sweep(isOwned: (kind: OrphanKind, id: string) => boolean): Promise<readonly Orphan[]> {
    const orphans = (await this.find()).filter(({ kind, id }) => !isOwned(kind, id));
    for (const orphan of orphans) await this.remove(orphan);
    return orphans;
  }

  private async find(): Promise<readonly Orphan[]> {
    const found = new Map<string, { kind: OrphanKind; id: string; found: string[] }>();
    const note = (kind: OrphanKind, id: string, what: string) => {
      const orphan = found.get(`${kind} ${id}`) ?? { kind, id, found: [] };
      orphan.found.push(what);
      found.set(`${kind} ${id}`, orphan);
    };
    for (const kind of ['export', 'mount'] as const) {
      const folder = join(this.runDir, FOLDERS[kind]);
      const idIn = (text: string) => text.split(`${folder}/`)[1]?.split('/')[0];
      for (const id of await readdir(folder).catch(() => [])) note(kind, id, 'folder');
      for (const { pid, args } of await processesWithArgument((argument) => argument.includes(`${folder}/`))) {
        const id = idIn(args.find((argument) => argument.includes(`${folder}/`)) ?? '');
        if (id !== undefined && id !== '') note(kind, id, `process ${pid}`);
      }
      for (const place of await mountPoints()) {
        const id = place.startsWith(`${folder}/`) ? idIn(place) : undefined;
        if (id !== undefined) note(kind, id, 'mount');
      }
    }
    for (const id of await this.nbdExports.ports.holders()) note('export', id, 'port');
    return [...found.values()];
  }

  private async remove({ kind, id }: Orphan): Promise<void> {
    if (kind === 'mount') {
      const folder = this.mounts.folder(id);
      await this.mounts.closeAll(folder);
      await rm(folder.path, { recursive: true, force: true });
      return;
    }
    const place = join(this.runDir, FOLDERS.export, id);
    for (const daemon of await processesWithArgument((argument) => argument.includes(`${place}/`))) {
      await this.runner.stopDaemon(daemon, GRACE_SECONDS);
    }
    await rm(place, { recursive: true, force: true });
    await this.nbdExports.ports.release(id);
  }
}
