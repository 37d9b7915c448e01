import { mkdir, readFile } from 'node:fs/promises';

import { z } from 'zod';

import type { FoundPartition, RestoreEffects } from '#domain/restore/effects';
import { daemonReady } from '#platform/qemu/nbd-server';
import { writeDurably } from '#platform/repositories/durable-file';
import { EffectError, type EffectContext, type EffectExecutor, type Observation } from '#platform/sagas/effect.port';

import { extJournal, replayJournal } from './ext-filesystem.js';
import type { MountFolder } from './mount-folder.js';
import type { MountParts } from './mount-parts.js';
import { isMounted } from './mount-table.js';
import { onPartitionAlone } from './partition-slice.js';
import { whyNotBrowsable } from './unreadable.js';

type Filesystem = RestoreEffects['mount.filesystem'];
type CloseFilesystem = RestoreEffects['mount.filesystem.close'];

const BROWSABLE = ['ext2', 'ext3', 'ext4'];
const READY_SECONDS = 30;
/** No default may let somebody else look in, and nothing of a guest is ever a program or a device here. */
const OPTIONS = 'ro,no_default_opts,fakeroot,nosuid,nodev,noexec,subtype=ext4';

const noteSchema = z.object({ replayedJournal: z.boolean(), unreadable: z.string().nullable() });
type Note = z.infer<typeof noteSchema>;

/** Opens an ext filesystem by fuse2fs, its journal replayed into the overlay first. */
export class FilesystemExecutor implements EffectExecutor<Filesystem['args']> {
  readonly kind = 'mount.filesystem';
  readonly reach = 'machine';

  constructor(private readonly parts: MountParts) {}

  async observe({ mountId, partition }: Filesystem['args']): Promise<Observation> {
    const folder = this.parts.folder(mountId);
    const known = await readNote(folder, partition.number);
    if (known === null) return { state: 'absent' };
    if (known.unreadable !== null) return { state: 'done', result: { state: 'unreadable', reason: known.unreadable } };
    const daemon = await this.parts.filesystemProcess(folder, partition.number);
    if (daemon === null || !(await isMounted(folder.filesystem(partition.number)))) return { state: 'partial' };
    return { state: 'done', result: { state: 'mounted', replayedJournal: known.replayedJournal, ...daemon } };
  }

  async execute({ mountId, partition }: Filesystem['args'], { signal }: EffectContext): Promise<Filesystem['result']> {
    const folder = this.parts.folder(mountId);
    const { number } = partition;
    // The note is the first that is left of a partition.
    if ((await readNote(folder, number)) !== null) await this.parts.unmountFilesystem(folder, number);
    await this.needDisk(folder);
    const prepared = await this.prepare(folder, partition, signal);
    const opened = prepared.unreadable === null ? await this.open(folder, partition, signal) : null;
    if (opened !== null) return { state: 'mounted', replayedJournal: prepared.replayedJournal, ...opened };
    // Without its disk every filesystem looks damaged.
    await this.needDisk(folder);
    const reason = prepared.unreadable ?? `its ${partition.filesystem ?? ''} filesystem is damaged`;
    await writeNote(folder, number, { replayedJournal: prepared.replayedJournal, unreadable: reason });
    return { state: 'unreadable', reason };
  }

  async ended(_args: Filesystem['args'], result: Filesystem['result']): Promise<string | null> {
    if (result.state === 'unreadable') return null;
    const { pid, startTicks } = result;
    return (await this.parts.runner.isAlive({ pid, startTicks })) ? null : 'a mounted filesystem ended by itself';
  }

  /** Looks at the filesystem's header and replays the journal where that is needed. */
  private async prepare(folder: MountFolder, partition: FoundPartition, signal: AbortSignal): Promise<Note> {
    const { number, filesystem, startBytes } = partition;
    // Kept across a crash: once the journal is replayed, the filesystem doesn't tell that it had to be.
    const replayedBefore = (await readNote(folder, number))?.replayedJournal ?? false;
    const unreadable = (reason: string) => ({ replayedJournal: replayedBefore, unreadable: reason });
    if (filesystem === null || !BROWSABLE.includes(filesystem)) return unreadable(whyNotBrowsable(filesystem));
    const journal = await extJournal(this.parts.runner, folder.disk, startBytes, signal);
    if (journal === null) return unreadable(`the header of its ${filesystem} filesystem is damaged`);
    if (journal === 'elsewhere') return unreadable('its journal is on another disk');
    const note = { replayedJournal: replayedBefore || journal === 'needs-replay', unreadable: null };
    await writeNote(folder, number, note);
    if (journal === 'clean') return note;
    const { runner } = this.parts;
    const replay = (file: string) => replayJournal(runner, file, signal);
    if (await onPartitionAlone(this.parts, folder, partition, signal, replay)) return note;
    return unreadable('its journal is damaged and can not be replayed');
  }

  private async open(
    folder: MountFolder,
    { number, startBytes }: FoundPartition,
    signal: AbortSignal,
  ): Promise<{ pid: number; startTicks: number } | null> {
    const place = folder.filesystem(number);
    await mkdir(place, { mode: 0o700 });
    const daemon = await this.parts.runner.spawnDaemon({
      program: 'fuse2fs',
      args: [folder.disk, place, '-f', '-o', `${OPTIONS},offset=${startBytes}`],
      logFile: folder.log(`fs-${number}`),
    });
    const mounted = () => isMounted(place);
    if (await daemonReady(this.parts.runner, daemon, mounted, { seconds: READY_SECONDS, signal })) {
      return { pid: daemon.pid, startTicks: daemon.startTicks };
    }
    const refused = !(await this.parts.runner.isAlive(daemon));
    await this.parts.unmountFilesystem(folder, number);
    if (refused) return null;
    throw new EffectError('transient', {
      code: 'mount-filesystem-slow',
      message: 'a filesystem did not open in time',
      remedy: 'look whether the storage of the repository is slow, then mount the backup again',
    });
  }

  private async needDisk(folder: MountFolder): Promise<void> {
    const [disk, server] = await Promise.all([this.parts.diskProcess(folder), this.parts.exportProcess(folder)]);
    if (disk !== null && server !== null) return;
    throw new EffectError('transient', {
      code: 'mount-disk-gone',
      message: 'the mounted disk is not there any more',
      remedy: 'mount the backup again',
    });
  }
}

export class CloseFilesystemExecutor implements EffectExecutor<CloseFilesystem['args']> {
  readonly kind = 'mount.filesystem.close';
  readonly reach = 'machine';

  constructor(private readonly parts: MountParts) {}

  async observe({ mountId, partition }: CloseFilesystem['args']): Promise<Observation> {
    const folder = this.parts.folder(mountId);
    const closed =
      (await readNote(folder, partition)) === null &&
      (await this.parts.filesystemProcess(folder, partition)) === null &&
      !(await isMounted(folder.filesystem(partition)));
    return closed ? { state: 'done', result: {} } : { state: 'partial' };
  }

  async execute({ mountId, partition }: CloseFilesystem['args']): Promise<CloseFilesystem['result']> {
    await this.parts.closeFilesystem(this.parts.folder(mountId), partition);
    return {};
  }
}

async function readNote(folder: MountFolder, number: number): Promise<Note | null> {
  try {
    return noteSchema.parse(JSON.parse(await readFile(folder.filesystemNote(number), 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function writeNote(folder: MountFolder, number: number, content: Note): Promise<void> {
  await writeDurably(folder.filesystemNote(number), JSON.stringify(content));
}
