import { ExecaProcessRunner } from '#platform/processes/execa.process-runner';
import { EXPORT_BEHAVIOUR } from '#platform/qemu/nbd-exports';
import { exportedNode, overlayNode } from '#platform/qemu/node-graph';
import { QemuImg } from '#platform/qemu/qemu-img';

import type { BenchContext } from './bench.js';
import { freePort, nbdAnswers, type Served, serve } from './nbd-server.js';

/** Images of a chain: the newest, and those beneath it, oldest first. */
export interface Chain {
  readonly file: string;
  readonly beneath: readonly string[];
}

/** An export of an image that takes writes, made and served with the very options that OMA uses for a backup. */
export async function serveForWriting(
  { leftovers }: Pick<BenchContext, 'leftovers'>,
  { file, beneath }: Chain,
): Promise<Served & { readonly uri: string; readonly port: number; readonly exportName: string }> {
  const port = await freePort();
  const exportName = 'bench';
  const uri = `nbd://127.0.0.1:${port}/${exportName}`;
  const place = ['--bind=127.0.0.1', `--port=${port}`, `--export-name=${exportName}`];
  const args = [...EXPORT_BEHAVIOUR, ...place, await exportedNode(file, beneath)];
  return { ...(await serve('qemu-nbd', args, () => nbdAnswers(uri), leftovers)), uri, port, exportName };
}

/** An export of an image as OMA's mounts open it: beneath an empty overlay, on a socket. */
export async function serveAsMounted(
  { leftovers }: Pick<BenchContext, 'leftovers'>,
  { file, beneath }: Chain,
  overlay: string,
): Promise<Served & { readonly uri: string }> {
  const socket = `${overlay}.sock`;
  const uri = `nbd+unix:///disk?socket=${encodeURIComponent(socket)}`;
  const args = ['--persistent', '--shared=16', '--export-name=disk', `--socket=${socket}`];
  const node = overlayNode(overlay, file, beneath);
  return { ...(await serve('qemu-nbd', [...args, node], () => nbdAnswers(uri), leftovers)), uri };
}

/** An empty image as OMA makes them. */
export async function createImage(file: string, sizeBytes: number, backingName: string | null): Promise<void> {
  await new QemuImg(new ExecaProcessRunner()).create(file, sizeBytes, backingName);
}
