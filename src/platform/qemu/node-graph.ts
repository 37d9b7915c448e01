import type { Json } from '#domain/kernel/event';

/**
 * What qemu shall open, spelled out node by node, so that nothing is probed and nothing that a header names is opened.
 * qemu's programs take it in the place of a file name.
 */
export function imageNode(file: string): string {
  return asFileName({ driver: 'qcow2', backing: null, file: fileNode(file, false) });
}

/** An overlay that takes all writes, over an image that is only read. */
export function overlayNode(overlay: string, image: string): string {
  return asFileName({
    driver: 'qcow2',
    file: fileNode(overlay, false),
    backing: { driver: 'qcow2', 'read-only': true, backing: null, file: fileNode(image, true) },
  });
}

function fileNode(file: string, readOnly: boolean): Json {
  return { driver: 'file', filename: file, 'read-only': readOnly };
}

function asFileName(node: Json): string {
  return `json:${JSON.stringify(node)}`;
}
