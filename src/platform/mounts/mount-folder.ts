import { readdir, rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** sockaddr_un has room for 108 bytes with the closing zero. */
const MAX_SOCKET_PATH_BYTES = 107;

/** The folder of one mount in the run directory, and everything that may be in it. */
export class MountFolder {
  readonly path: string;
  readonly overlay: string;
  readonly socket: string;
  readonly diskFolder: string;
  /** The whole disk as one file, while the mount lives. */
  readonly disk: string;
  readonly nbdfusePidFile: string;

  constructor(runDir: string, mountId: string) {
    if (!/^[0-9A-Za-z-]{1,100}$/.test(mountId)) throw new Error('a mount id is letters, digits and hyphens');
    this.path = join(runDir, 'mounts', mountId);
    this.overlay = join(this.path, 'overlay.qcow2');
    this.socket = join(this.path, 'nbd.sock');
    this.diskFolder = join(this.path, 'disk');
    this.disk = join(this.diskFolder, 'nbd');
    this.nbdfusePidFile = join(this.path, 'nbdfuse.pid');
  }

  get socketPathFits(): boolean {
    return Buffer.byteLength(this.slice(999).socket) <= MAX_SOCKET_PATH_BYTES;
  }

  get uri(): string {
    return uriOf(this.socket);
  }

  /** A view of one partition alone, while its journal is replayed. */
  slice(partition: number) {
    const folder = join(this.path, `slice-${partition}`);
    const socket = `${folder}.sock`;
    return { folder, socket, file: join(folder, 'nbd'), pidFile: `${folder}.pid`, uri: uriOf(socket) };
  }

  filesystem(partition: number): string {
    return join(this.path, `fs-${partition}`);
  }

  /** What is known about the opening of a filesystem; survives a crash. */
  filesystemNote(partition: number): string {
    return join(this.path, `fs-${partition}.json`);
  }

  log(name: string): string {
    return join(this.path, `${name}.log`);
  }

  /** Numbers of the partitions that have something here. */
  async partitions(): Promise<readonly number[]> {
    const names = await this.names();
    const numbers = names.flatMap((name) => /^(?:fs|slice)-(\d+)/.exec(name)?.[1] ?? []);
    return [...new Set(numbers.map(Number))];
  }

  /** Whether a step of opening was ever begun: what it leaves first is there. Spares most openings a search for processes. */
  async hasTraceOf(step: 'export' | 'disk'): Promise<boolean> {
    const first = step === 'export' ? this.log('qemu-nbd') : this.diskFolder;
    return (await this.names()).includes(basename(first));
  }

  async exists(): Promise<boolean> {
    return (await this.list()) !== null;
  }

  /**
   * Removes files, empty folders and the folder itself, never what is inside of a folder: a mount that is still alive makes
   * this fail and loses nothing.
   */
  async remove(): Promise<void> {
    for (const entry of (await this.list()) ?? []) {
      const place = join(this.path, entry.name);
      await (entry.isDirectory() ? rmdir(place) : rm(place, { force: true }));
    }
    await rmdir(this.path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }

  private async names(): Promise<readonly string[]> {
    return ((await this.list()) ?? []).map((entry) => entry.name);
  }

  /** Types come with the names; nothing is looked at that could be a mount. */
  private async list() {
    try {
      return await readdir(this.path, { withFileTypes: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }
}

function uriOf(socket: string): string {
  return `nbd+unix:///disk?socket=${encodeURIComponent(socket)}`;
}
