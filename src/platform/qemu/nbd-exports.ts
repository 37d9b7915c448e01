import { mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { DaemonIdentity, ProcessRunner } from '#platform/processes/process-runner.port';
import { endDaemon } from '#platform/sagas/end-daemon';

import { BandwidthPool } from './bandwidth/bandwidth-pool.js';
import type { ExportLimits } from './bandwidth/limits.js';
import { ExportGates } from './gate/export-gates.js';
import type { OpenedImage } from './layers.js';
import { listensOnPort, listensOnSocket } from './listening.js';
import { daemonReady, daemonWithArgument, loopbackPortIsFree } from './nbd-server.js';
import type { NbdPorts, PortSlice } from './nbd-ports.js';
import { exportedNode } from './node-graph.js';

const READY_SECONDS = 15;
/** What qemu-nbd writes into its log for each client that has chosen the export. */
const CLIENT_CAME = 'nbd_negotiate_success';

/** By its name a log tells whether there is a gate before the export, also when everything else is gone. */
const LOGS = { direct: 'qemu-nbd.log', gated: 'qemu-nbd-behind-gate.log' };

/** How every export without a gate treats its image: until it is ended, one client at a time, and what is zero is a hole. */
export const EXPORT_BEHAVIOUR = ['--persistent', '--shared=1', '--discard=unmap', '--detect-zeroes=unmap'];

export interface RunningExport {
  readonly port: number;
  readonly daemon: DaemonIdentity;
}

/** How an export is opened. Without options: for one connection, without a limit, on any port. */
export interface ExportOptions {
  /** Backup writes pass a gate in this process that holds them to these rates. */
  readonly limits?: ExportLimits | null;
  /** For an agent that opens a second connection beside its first: a gate lets both in and one of them write. */
  readonly severalConnections?: boolean;
  /** The agent's part of the port range. */
  readonly slice?: PortSlice;
}

interface Address {
  readonly port: number;
  readonly exportName: string;
}

/**
 * The qemu-nbd processes that take backups: one per export, found again by a file of the run directory. Each has one client
 * at a time (docs/adr/0011): directly on a loopback port, or behind a gate of this process on that port.
 */
export class NbdExports {
  private readonly gates: ExportGates;
  /** Exports known to need no gate. */
  private readonly direct = new Set<string>();

  constructor(
    private readonly runner: ProcessRunner,
    readonly ports: NbdPorts,
    private readonly runDir: string,
    bandwidth: BandwidthPool = new BandwidthPool(),
  ) {
    this.gates = new ExportGates(bandwidth);
  }

  /** Where the agent has to write, or null while the export isn't open. */
  async address(exportId: string): Promise<Address | null> {
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

  /**
   * The export when its process listens. Connects to nothing, so that a client at work isn't disturbed. Opens the gate again
   * that ended with an earlier OMA; an export that began without a gate gets none, whatever limits are named now.
   */
  async running(exportId: string, limits: ExportLimits | null = null): Promise<RunningExport | null> {
    const address = await this.address(exportId);
    const daemon = await this.process(exportId);
    if (address === null || daemon === null) return null;
    if (await listensOnPort(daemon.pid, address.port)) this.direct.add(exportId);
    else if (!(await listensOnSocket(daemon.pid, this.socket(exportId)))) return null;
    else if (!(await this.gates.open(exportId, this.place(exportId, address), limits))) return null;
    await this.ports.started(exportId, daemon);
    return { port: address.port, daemon };
  }

  /** Sees to it that a living export that needs a gate has one. Cheap when nothing is to be done. */
  async keepOpen(exportId: string, limits: ExportLimits | null = null): Promise<void> {
    if (!this.direct.has(exportId) && !this.gates.has(exportId)) await this.running(exportId, limits);
  }

  /** Starts the export on the first port where it can listen. Throws NoFreePort; null when no process came to answer. */
  async start(
    exportId: string,
    image: OpenedImage,
    signal: AbortSignal,
    options: ExportOptions = {},
  ): Promise<RunningExport | null> {
    await mkdir(this.folder(exportId), { recursive: true, mode: 0o700 });
    // What an earlier attempt left: its gate, its socket, and a log that tells of other clients.
    await this.clear(exportId);
    const gated =
      options.severalConnections === true || options.limits?.job != null || options.limits?.repository != null;
    const avoid = new Set<number>();
    for (;;) {
      signal.throwIfAborted();
      const address = await this.ports.claim(exportId, avoid, options.slice);
      avoid.add(address.port);
      const free = gated
        ? await this.gates.open(exportId, this.place(exportId, address), options.limits ?? null)
        : await loopbackPortIsFree(address.port);
      if (!free) continue;
      const running = await this.startAt(exportId, image, address, gated, signal).catch(async (error: unknown) => {
        await this.gates.close(exportId);
        throw error;
      });
      if (running !== null) return running;
      await this.gates.close(exportId);
      // Somebody else may have taken the port between the look and the start; then another one is tried.
      if (await loopbackPortIsFree(address.port)) return null;
    }
  }

  /** Ends the process, whoever started it. */
  async stop(
    daemon: DaemonIdentity,
    graceSeconds: number,
  ): Promise<{ readonly exitCode: number | null; readonly killed: boolean }> {
    return endDaemon(this.runner, daemon, graceSeconds);
  }

  /**
   * How many clients have come to the export: one after the other, or behind a gate, which has seen to their order itself.
   * Null when it can't be told any more.
   */
  async clientsServed(exportId: string): Promise<{ readonly count: number; readonly gated: boolean } | null> {
    for (const gated of [false, true]) {
      const log = await readFile(this.log(exportId, gated), 'utf8').catch(() => null);
      if (log !== null) return { count: log.split(CLIENT_CAME).length - 1, gated };
    }
    return null;
  }

  /** Whether nothing of the export is left in the run directory. */
  async isTidy(exportId: string): Promise<boolean> {
    return (await readdir(this.folder(exportId)).catch(() => null)) === null;
  }

  /** Closes the export's gate and removes its files in the run directory. */
  async tidy(exportId: string): Promise<void> {
    await this.clear(exportId);
    if (!(await this.isTidy(exportId))) await rmdir(this.folder(exportId));
  }

  /** Closes all gates, so that this process can end. */
  async close(): Promise<void> {
    await this.gates.closeAll();
  }

  private async startAt(
    exportId: string,
    image: OpenedImage,
    address: Address,
    gated: boolean,
    signal: AbortSignal,
  ): Promise<RunningExport | null> {
    const socket = this.socket(exportId);
    // Behind a gate it is the gate that counts the clients.
    const place = gated ? [`--socket=${socket}`, '--shared=0'] : ['--bind=127.0.0.1', `--port=${address.port}`];
    const daemon = await this.runner.spawnDaemon({
      program: 'qemu-nbd',
      args: [
        ...EXPORT_BEHAVIOUR,
        ...place,
        `--trace=${CLIENT_CAME}`,
        `--export-name=${address.exportName}`,
        this.pidFileArgument(exportId),
        await exportedNode(image.file, image.beneath),
      ],
      logFile: this.log(exportId, gated),
    });
    await this.ports.started(exportId, daemon);
    const listens = () => (gated ? listensOnSocket(daemon.pid, socket) : listensOnPort(daemon.pid, address.port));
    if (await daemonReady(this.runner, daemon, listens, { seconds: READY_SECONDS, signal })) {
      if (!gated) this.direct.add(exportId);
      return { port: address.port, daemon };
    }
    await this.stop(daemon, 0);
    return null;
  }

  private async clear(exportId: string): Promise<void> {
    this.direct.delete(exportId);
    await this.gates.close(exportId);
    const folder = this.folder(exportId);
    const names = await readdir(folder).catch(() => []);
    for (const name of names) await rm(join(folder, name), { force: true });
  }

  private place(exportId: string, address: Address): Address & { readonly socket: string } {
    return { ...address, socket: this.socket(exportId) };
  }

  private folder(exportId: string): string {
    if (!/^[0-9A-Za-z-]{1,100}$/.test(exportId)) throw new Error('an export id is letters, digits and hyphens');
    return join(this.runDir, 'exports', exportId);
  }

  private log(exportId: string, gated: boolean): string {
    return join(this.folder(exportId), gated ? LOGS.gated : LOGS.direct);
  }

  private socket(exportId: string): string {
    return join(this.folder(exportId), 'nbd.sock');
  }

  private pidFileArgument(exportId: string): string {
    return `--pid-file=${join(this.folder(exportId), 'qemu-nbd.pid')}`;
  }
}
