import { rm, rmdir } from 'node:fs/promises';

import type { Logger } from '#platform/logging/logger.port';
import type { DaemonIdentity, ProcessRunner } from '#platform/processes/process-runner.port';
import { processesWithArgument } from '#platform/processes/process-table';
import { daemonWithArgument } from '#platform/qemu/nbd-server';

import { MountFolder } from './mount-folder.js';
import { isMounted } from './mount-table.js';

const UNMOUNT_SECONDS = 10;
/** An overlay is thrown away: nothing in memory is worth waiting for. */
const GRACE_SECONDS = 5;

/** Finding and ending the parts of a mount, in any state that a crash may have left them in. Everything may be repeated. */
export class MountParts {
  constructor(
    readonly runner: ProcessRunner,
    private readonly runDir: string,
    private readonly logger: Logger,
  ) {}

  folder(mountId: string): MountFolder {
    return new MountFolder(this.runDir, mountId);
  }

  exportProcess(folder: MountFolder): Promise<DaemonIdentity | null> {
    return daemonWithArgument('qemu-nbd', `--socket=${folder.socket}`);
  }

  diskProcess(folder: MountFolder): Promise<DaemonIdentity | null> {
    return daemonWithArgument('nbdfuse', folder.nbdfusePidFile);
  }

  filesystemProcess(folder: MountFolder, partition: number): Promise<DaemonIdentity | null> {
    return daemonWithArgument('fuse2fs', folder.filesystem(partition));
  }

  /** Takes the filesystem away and keeps what is noted about it. */
  async unmountFilesystem(folder: MountFolder, partition: number): Promise<void> {
    await this.endReaders(folder.filesystem(partition));
    await this.closeMountPoint(folder.filesystem(partition), await this.filesystemProcess(folder, partition));
    await this.closeSlice(folder, partition);
  }

  async closeSlice(folder: MountFolder, partition: number): Promise<void> {
    const { folder: place, socket, pidFile } = folder.slice(partition);
    await this.closeMountPoint(place, await daemonWithArgument('nbdfuse', pidFile));
    const server = await daemonWithArgument('qemu-nbd', `--socket=${socket}`);
    if (server !== null) await this.runner.stopDaemon(server, GRACE_SECONDS);
    await rm(socket, { force: true });
    await rm(pidFile, { force: true });
  }

  async closeFilesystem(folder: MountFolder, partition: number): Promise<void> {
    await this.unmountFilesystem(folder, partition);
    await rm(folder.filesystemNote(partition), { force: true });
  }

  async closeDisk(folder: MountFolder): Promise<void> {
    await this.closeMountPoint(folder.diskFolder, await this.diskProcess(folder));
    await rm(folder.nbdfusePidFile, { force: true });
  }

  async closeExport(folder: MountFolder): Promise<void> {
    const daemon = await this.exportProcess(folder);
    if (daemon !== null) await this.runner.stopDaemon(daemon, GRACE_SECONDS);
    await rm(folder.socket, { force: true });
  }

  /** Everything of the mount but its folder, the innermost first. */
  async closeAll(folder: MountFolder): Promise<void> {
    for (const partition of await folder.partitions()) await this.closeFilesystem(folder, partition);
    await this.closeDisk(folder);
    await this.closeExport(folder);
  }

  private async closeMountPoint(place: string, daemon: DaemonIdentity | null): Promise<void> {
    if (await isMounted(place)) await this.unmount(place, []);
    // Its process ends by itself once nothing is mounted; where the unmounting failed, its end sets the mount free.
    if (daemon !== null) await this.runner.stopDaemon(daemon, GRACE_SECONDS);
    if (await isMounted(place)) await this.unmount(place, []);
    if (await isMounted(place)) {
      this.logger.warn({ place }, 'a mount was still in use and was taken away from its users');
      await this.unmount(place, ['-z']);
    }
    if (await isMounted(place)) throw new Error('a mount could not be closed');
    await rmdir(place).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }

  private async unmount(place: string, options: readonly string[]): Promise<void> {
    const args = ['-u', ...options, '--', place];
    await this.runner.run({ program: 'fusermount3', args, timeoutSeconds: UNMOUNT_SECONDS });
  }

  /** Readers of guest files, also those of an OMA that was killed; they hold the mount open. */
  private async endReaders(place: string): Promise<void> {
    for (const reader of await processesWithArgument((argument) => argument === `--root=${place}`)) {
      await this.runner.stopDaemon(reader, 0);
    }
  }
}
