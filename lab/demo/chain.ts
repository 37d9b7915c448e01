import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Api } from './api.js';
import type { PointReport } from './report.js';

/** One disk of the lab's VM, as its guest and as OMA sees it. */
export interface DemoDisk {
  readonly labUrl: string;
  readonly vmPath: string;
  readonly deviceKey: number;
  readonly diskId: number;
}

interface Layer {
  readonly backup_id: string;
  readonly mode: string;
  readonly reason: string | null;
  readonly change_id: string | null;
  readonly file_size_bytes: number;
  readonly file_path: string;
  readonly health: string;
}

const PROGRAM_LIMIT_MS = 60_000;
const COLUMN = 12;

/** The guest's side: what its disk holds is kept aside, and its files are changed. */
export class DemoGuest {
  constructor(
    private readonly disk: DemoDisk,
    private readonly folder: string,
  ) {}

  /** Where what the disk holds now is kept. */
  async keep(name: string): Promise<string> {
    const file = join(this.folder, `${name}.raw`);
    await this.ask('snapshot-copy', { to_file: file });
    return file;
  }

  async changeFiles(write: Readonly<Record<string, string>>, remove: readonly string[]): Promise<void> {
    const encoded = Object.entries(write).map(([path, text]) => [path, Buffer.from(text).toString('base64')]);
    await this.ask('change-files', { write: Object.fromEntries(encoded) as object, remove });
  }

  private async ask(action: string, more: object): Promise<void> {
    const { labUrl, vmPath, deviceKey } = this.disk;
    const response = await fetch(`${labUrl}/lab/guest/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ vm_path: vmPath, device_key: deviceKey, ...more }),
    });
    if (!response.ok) throw new Error(`the lab answered ${response.status}: ${await response.text()}`);
  }
}

/** The chain of a disk, as lines for a person. */
export async function chainOf(api: Api, contextId: string, diskId: number) {
  const { layers } = await api.get<{ layers: readonly Layer[] }>(
    `/backup/chain?vm_context_id=${contextId}&disk_id=${diskId}`,
  );
  const lines = layers.map(({ mode, reason, file_size_bytes: bytes, change_id: changeId, health }) => {
    const what = `${mode}${reason === null ? '' : ` (${reason})`}`;
    return `${what.padEnd(26)} ${String(bytes).padStart(COLUMN)} bytes  ${health}  change id …${changeId?.slice(-8) ?? 'none'}`;
  });
  return { layers, lines };
}

/** Compares a point's image with what the guest held then, as somebody would who has no OMA. */
export async function compareWithTruth(root: string, layer: Layer, truth: string): Promise<PointReport> {
  const image = join(root, layer.file_path);
  const args = ['compare', '-f', 'qcow2', '-F', 'raw', image, truth];
  const identical = await promisify(execFile)('qemu-img', args, { timeout: PROGRAM_LIMIT_MS }).then(
    ({ stdout }) => !stdout.includes('mismatch'),
    () => false,
  );
  return { backup_id: layer.backup_id, mode: layer.mode, identical };
}
