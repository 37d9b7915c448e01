import type { Json } from '#domain/kernel/event';

/**
 * What qemu shall open, spelled out node by node, so that nothing is probed and nothing that a header names is opened.
 * qemu's programs take it in the place of a file name. `beneath` are the files of the layers under the image, oldest first;
 * they are only ever read.
 */
export function imageNode(file: string, beneath: readonly string[] = []): string {
  return asFileName({ driver: 'qcow2', backing: chainNode(beneath), file: fileNode(file, false) });
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

function fileNode(file: string, readOnly: boolean): Json {
  return { driver: 'file', filename: file, 'read-only': readOnly };
}

function asFileName(node: Json): string {
  return `json:${JSON.stringify(node)}`;
}
