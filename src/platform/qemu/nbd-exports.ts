import { mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { DaemonIdentity, ProcessRunner } from '#platform/processes/process-runner.port';

import type { OpenedImage } from './layers.js';
import { daemonReady, daemonWithArgument, loopbackPortIsFree, nbdAnswers } from './nbd-server.js';
import type { NbdPorts } from './nbd-ports.js';
import { imageNode } from './node-graph.js';

const READY_SECONDS = 15;

/** How every export treats its image: until it is ended, four clients at most, and what is zero is a hole. */
export const EXPORT_BEHAVIOUR = ['--persistent', '--shared=4', '--discard=unmap', '--detect-zeroes=unmap'];

export interface RunningExport {
  readonly port: number;
  readonly daemon: DaemonIdentity;
}

/** The qemu-nbd processes that take backups: one per export, on a loopback port, found again by a file of the run directory. */
export class NbdExports {
  constructor(
    private readonly runner: ProcessRunner,
    readonly ports: NbdPorts,
    private readonly runDir: string,
  ) {}

  /** Where the agent has to write, or null while the export isn't open. */
  async address(exportId: string): Promise<{ readonly port: number; readonly exportName: string } | null> {
    const row = await this.ports.find(exportId);
    return row?.port == null ? null : { port: row.port, exportName: row.exportName };
  }

  /** The export's process, also one that an earlier OMA started and could not write down. */
  async process(exportId: string): Promise<DaemonIdentity | null> {
    return daemonWithArgument('qemu-nbd', this.pidFileArgument(exportId));
  }

  async isAlive(daemon: DaemonIdentity): Promise<boolean> {
    return this.runner.isAlive(daemon);
  }

  /** The export when it runs and answers with a disk of this size. */
  async running(exportId: string, sizeBytes: number, signal: AbortSignal): Promise<RunningExport | null> {
    const address = await this.address(exportId);
    const daemon = await this.process(exportId);
    if (address === null || daemon === null) return null;
    if (!(await nbdAnswers(this.runner, uriOf(address), sizeBytes, signal))) return null;
    await this.ports.started(exportId, daemon);
    return { port: address.port, daemon };
  }

  /** Starts the export on the first port where it can listen. Throws NoFreePort; null when no process came to answer. */
  async start(exportId: string, image: OpenedImage, signal: AbortSignal): Promise<RunningExport | null> {
    await mkdir(this.folder(exportId), { recursive: true, mode: 0o700 });
    const avoid = new Set<number>();
    for (;;) {
      signal.throwIfAborted();
      const address = await this.ports.claim(exportId, avoid);
      avoid.add(address.port);
      if (!(await loopbackPortIsFree(address.port))) continue;
      const daemon = await this.spawn(exportId, image, address);
      await this.ports.started(exportId, daemon);
      const { virtualSizeBytes } = image.header;
      const answers = () => nbdAnswers(this.runner, uriOf(address), virtualSizeBytes, signal);
      if (await daemonReady(this.runner, daemon, answers, { seconds: READY_SECONDS, signal })) {
        return { port: address.port, daemon };
      }
      await this.runner.stopDaemon(daemon, 0);
      // Somebody else may have taken the port between the look and the start; then another one is tried.
      if (await loopbackPortIsFree(address.port)) return null;
    }
  }

  /** Ends the process, whoever started it. */
  async stop(
    daemon: DaemonIdentity,
    graceSeconds: number,
  ): Promise<{ readonly exitCode: number | null; readonly killed: boolean }> {
    return this.runner.stopDaemon(daemon, graceSeconds);
  }

  /** Removes the export's files in the run directory. */
  async tidy(exportId: string): Promise<void> {
    const folder = this.folder(exportId);
    const names = await readdir(folder).catch(() => []);
    for (const name of names) await rm(join(folder, name), { force: true });
    if (names.length > 0 || (await readdir(folder).catch(() => null)) !== null) await rmdir(folder);
  }

  private async spawn(
    exportId: string,
    image: OpenedImage,
    address: { readonly port: number; readonly exportName: string },
  ): Promise<DaemonIdentity> {
    const place = ['--bind=127.0.0.1', `--port=${address.port}`, `--export-name=${address.exportName}`];
    return this.runner.spawnDaemon({
      program: 'qemu-nbd',
      args: [...EXPORT_BEHAVIOUR, ...place, this.pidFileArgument(exportId), imageNode(image.file, image.beneath)],
      logFile: join(this.folder(exportId), 'qemu-nbd.log'),
    });
  }

  private folder(exportId: string): string {
    if (!/^[0-9A-Za-z-]{1,100}$/.test(exportId)) throw new Error('an export id is letters, digits and hyphens');
    return join(this.runDir, 'exports', exportId);
  }

  private pidFileArgument(exportId: string): string {
    return `--pid-file=${join(this.folder(exportId), 'qemu-nbd.pid')}`;
  }
}

function uriOf(address: { readonly port: number; readonly exportName: string }): string {
  return `nbd://127.0.0.1:${address.port}/${address.exportName}`;
}
