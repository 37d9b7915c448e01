import { mkdirSync, readdirSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { MAX_MOUNTS } from '#domain/restore/mount.errors';
import type { Logger } from '#platform/logging/logger.port';
import type { DaemonIdentity, ProcessRunner } from '#platform/processes/process-runner.port';
import { processesWithArgument } from '#platform/processes/process-table';
import { daemonWithArgument } from '#platform/qemu/nbd-server';
import { endDaemon } from '#platform/sagas/end-daemon';

import { MountFolder } from './mount-folder.js';
import { isMounted } from './mount-table.js';

const UNMOUNT_SECONDS = 10;
/** An overlay is thrown away: nothing in memory is worth waiting for. */
const GRACE_SECONDS = 5;
/** More than a killed process takes that waits for nothing. */
const KILL_SECONDS = 2;

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

  /**
   * Answers false when there are as many as there may be. Counting and making are one turn of the thread, so that the limit
   * holds however many come at once.
   */
  makeFolder({ path }: MountFolder): boolean {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const others = readdirSync(dirname(path)).filter((name) => name !== basename(path));
    if (others.length >= MAX_MOUNTS) return false;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return true;
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
    const place = folder.filesystem(partition);
    const disk = listed(await this.diskProcess(folder));
    const filesystem = listed(await this.filesystemProcess(folder, partition));
    await this.end(await this.readers(place), 0, [...disk, ...filesystem]);
    await this.closeMountPoint(place, filesystem, disk);
    await this.closeSlice(folder, partition);
  }

  async closeSlice(folder: MountFolder, partition: number): Promise<void> {
    const { folder: place, socket, pidFile } = folder.slice(partition);
    await this.closeMountPoint(place, listed(await daemonWithArgument('nbdfuse', pidFile)));
    const server = await daemonWithArgument('qemu-nbd', `--socket=${socket}`);
    if (server !== null) await endDaemon(this.runner, server, GRACE_SECONDS);
    await rm(socket, { force: true });
    await rm(pidFile, { force: true });
  }

  async closeFilesystem(folder: MountFolder, partition: number): Promise<void> {
    await this.unmountFilesystem(folder, partition);
    await rm(folder.filesystemNote(partition), { force: true });
  }

  async closeDisk(folder: MountFolder): Promise<void> {
    await this.closeMountPoint(folder.diskFolder, listed(await this.diskProcess(folder)));
    await rm(folder.nbdfusePidFile, { force: true });
  }

  async closeExport(folder: MountFolder): Promise<void> {
    const daemon = await this.exportProcess(folder);
    if (daemon !== null) await endDaemon(this.runner, daemon, GRACE_SECONDS);
    await rm(folder.socket, { force: true });
  }

  /** Everything of the mount but its folder, the innermost first. */
  async closeAll(folder: MountFolder): Promise<void> {
    for (const partition of await folder.partitions()) await this.closeFilesystem(folder, partition);
    await this.closeDisk(folder);
    await this.closeExport(folder);
  }

  private async closeMountPoint(
    place: string,
    daemons: readonly DaemonIdentity[],
    beneath: readonly DaemonIdentity[] = [],
  ): Promise<void> {
    if (await isMounted(place)) await this.unmount(place, []);
    // Its process ends by itself once nothing is mounted; where the unmounting failed, its end sets the mount free.
    await this.end(daemons, GRACE_SECONDS, beneath);
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

  /**
   * Ends processes. The kernel keeps a killed one as long as it waits for a disk that hangs: then the processes `beneath`,
   * on which it waits, are ended too.
   */
  private async end(
    daemons: readonly DaemonIdentity[],
    graceSeconds: number,
    beneath: readonly DaemonIdentity[],
  ): Promise<void> {
    const ended = Promise.all(daemons.map((daemon) => endDaemon(this.runner, daemon, graceSeconds))).then(() => true);
    const seconds = graceSeconds + KILL_SECONDS;
    if (await Promise.race([ended, pause(seconds * 1000, false)])) return;
    this.logger.warn({}, 'a mount hangs; its disk is taken away');
    await Promise.all(beneath.map((daemon) => endDaemon(this.runner, daemon, 0)));
    await ended;
  }

  /** Readers of guest files, also those of an OMA that was killed; they hold the mount open. */
  private readers(place: string): Promise<readonly DaemonIdentity[]> {
    return processesWithArgument((argument) => argument === `--root=${place}`);
  }
}

function listed(daemon: DaemonIdentity | null): readonly DaemonIdentity[] {
  return daemon === null ? [] : [daemon];
}
