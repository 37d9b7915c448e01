import type { Json, JsonObject } from '#domain/kernel/event';

import { canWriteDirectly } from './direct-writing.js';

/**
 * What qemu shall open, spelled out node by node, so that nothing is probed and nothing that a header names is opened.
 * qemu's programs take it in the place of a file name. `beneath` are the files of the layers under the image, oldest first;
 * they are only ever read.
 */
export function imageNode(file: string, beneath: readonly string[] = []): string {
  return asFileName({ driver: 'qcow2', backing: chainNode(beneath), file: fileNode(file, false) });
}

/** An image for an export: like `imageNode`, and its own bytes pass by the page cache where its filesystem can do that. */
export async function exportedNode(file: string, beneath: readonly string[]): Promise<string> {
  const cache = { direct: await canWriteDirectly(file) };
  return asFileName({ driver: 'qcow2', backing: chainNode(beneath), file: { ...fileNode(file, false), cache } });
}

/** An overlay that takes all writes, over an image and the layers under it that are only read. */
export function overlayNode(overlay: string, image: string, beneath: readonly string[] = []): string {
  return imageNode(overlay, [...beneath, image]);
}

function chainNode(files: readonly string[]): Json {
  return files.reduce<Json>(
    (backing, file) => ({ driver: 'qcow2', 'read-only': true, backing, file: fileNode(file, true) }),
    null,
  );
}

function fileNode(file: string, readOnly: boolean): JsonObject {
  return { driver: 'file', filename: file, 'read-only': readOnly };
}

function asFileName(node: Json): string {
  return `json:${JSON.stringify(node)}`;
}
