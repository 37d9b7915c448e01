import type { BandwidthPool, Share } from '../bandwidth/bandwidth-pool.js';
import type { ExportLimits } from '../bandwidth/limits.js';
import { ExportGate } from './export-gate.js';

/** The gates of this process, one per export that needs one, and the rates that they share. */
export class ExportGates {
  private readonly gates = new Map<string, ExportGate>();

  constructor(private readonly bandwidth: BandwidthPool) {}

  /** False when the port is taken. An export's gate that is open already stays as it is. */
  async open(
    exportId: string,
    place: { readonly port: number; readonly exportName: string; readonly socket: string },
    limits: ExportLimits | null,
  ): Promise<boolean> {
    if (this.gates.has(exportId)) return true;
    const shares = this.shares(exportId, limits);
    const gate = await ExportGate.open({ ...place, shares });
    if (gate !== null && !this.gates.has(exportId)) {
      this.gates.set(exportId, gate);
      return true;
    }
    for (const share of shares) share.release();
    await gate?.close();
    return this.gates.has(exportId);
  }

  has(exportId: string): boolean {
    return this.gates.has(exportId);
  }

  /** Harmless when there is none. */
  async close(exportId: string): Promise<void> {
    const gate = this.gates.get(exportId);
    this.gates.delete(exportId);
    await gate?.close();
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.gates.keys()].map((exportId) => this.close(exportId)));
  }

  /** Exports share a job's rate equally, and jobs a repository's, however many exports they have. */
  private shares(exportId: string, limits: ExportLimits | null): readonly Share[] {
    const { job = null, repository = null } = limits ?? {};
    const shares: Share[] = [];
    if (job !== null) shares.push(this.bandwidth.share(named('job', job), exportId));
    if (repository !== null) shares.push(this.bandwidth.share(named('repository', repository), job?.key ?? exportId));
    return shares;
  }
}

/** A job and a repository of the same name are two. */
function named(kind: string, { key, bytesPerSecond }: { readonly key: string; readonly bytesPerSecond: number }) {
  return { key: `${kind} ${key}`, bytesPerSecond };
}
