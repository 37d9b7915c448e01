import type { JsonObject } from '#domain/kernel/event';
import type { FoundPartition } from '#domain/restore/effects';
import type { Database } from '#platform/database/database';
import { RestoreAccess } from '#platform/filesystems/restore-access';
import { mountExecutors } from '#platform/mounts/executors';
import { ExecaProcessRunner } from '#platform/processes/execa.process-runner';

import { type DiskWorld, effectContext } from './disk-world.js';
import { silentLog } from './silent-log.js';

/** The executors of mounts in a test's world, each called with a new runner as after a restart. */
export class Mounting {
  readonly access: RestoreAccess;

  constructor(
    private readonly world: DiskWorld,
    database: Database,
  ) {
    this.access = new RestoreAccess(database);
  }

  executor(kind: string) {
    const { runDir } = this.world;
    const all = mountExecutors({ runner: new ExecaProcessRunner(), runDir, access: this.access, logger: silentLog });
    const found = all.find((one) => one.kind === kind);
    if (found === undefined) throw new Error(`no executor for ${kind}`);
    return found;
  }

  observe(kind: string, args: JsonObject) {
    return this.executor(kind).observe(args, effectContext());
  }

  execute(kind: string, args: JsonObject) {
    return this.executor(kind).execute(args, effectContext());
  }

  /** Overlay, export and disk, and what was found on it. */
  async disk(mountId: string, image: string): Promise<readonly FoundPartition[]> {
    const args = { mountId, root: this.world.root, image, layers: [] };
    await this.execute('mount.overlay', args);
    await this.execute('mount.export', args);
    await this.execute('mount.disk', { mountId });
    const { partitions } = await this.execute('mount.inspect', { mountId });
    return partitions as unknown as readonly FoundPartition[];
  }

  /** The same and the first partition's filesystem. */
  async firstFilesystem(mountId: string, image: string): Promise<{ partition: FoundPartition; result: JsonObject }> {
    const [partition] = await this.disk(mountId, image);
    if (partition === undefined) throw new Error('no partition');
    return { partition, result: await this.execute('mount.filesystem', { mountId, partition }) };
  }
}
