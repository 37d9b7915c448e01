import { basename, dirname } from 'node:path';

import type { ImagePlace } from '#domain/kernel/image-place';
import { pathBeneath } from '#platform/repositories/path-beneath';

import { ImageRefused, type Qcow2Header, readQcow2Header } from './qcow2-header.js';

/** An image with the files of the layers under it, oldest first, every one of which was looked at. */
export interface OpenedImage {
  readonly file: string;
  readonly beneath: readonly string[];
  readonly header: Qcow2Header;
}

/**
 * The image and all layers under it, as the catalogue names them: each is one of OMA's images, names exactly the one before
 * it as its backing file, lies in the same folder and has the same size, and those underneath are closed and undamaged.
 * Throws ImageRefused, PathLeavesRoot, or ENOENT as the system says it.
 */
export async function openImage({ root, image, layers }: ImagePlace): Promise<OpenedImage> {
  const beneath: string[] = [];
  let sizeBytes: number | null = null;
  for (const [index, layer] of layers.entries()) {
    const { file, header } = await readLayer(root, layer, layers[index - 1] ?? null);
    if (header.dirty || header.corrupt) throw new ImageRefused('an image beneath it was not closed cleanly');
    if (sizeBytes !== null && header.virtualSizeBytes !== sizeBytes) throw new ImageRefused(SIZES_DIFFER);
    sizeBytes = header.virtualSizeBytes;
    beneath.push(file);
  }
  const { file, header } = await readLayer(root, image, layers.at(-1) ?? null);
  if (sizeBytes !== null && header.virtualSizeBytes !== sizeBytes) throw new ImageRefused(SIZES_DIFFER);
  return { file, beneath, header };
}

const SIZES_DIFFER = 'an image beneath it has another size';

/** Backing files are named relative to the image, so that a chain can be moved to another folder as a whole. */
export function backingNameOf({ layers }: Pick<ImagePlace, 'layers'>): string | null {
  const parent = layers.at(-1);
  return parent === undefined ? null : basename(parent);
}

async function readLayer(
  root: string,
  image: string,
  parent: string | null,
): Promise<{ readonly file: string; readonly header: Qcow2Header }> {
  if (parent !== null && dirname(parent) !== dirname(image)) {
    throw new ImageRefused('an image beneath it lies in another folder');
  }
  const file = await pathBeneath(root, image);
  return { file, header: await readQcow2Header(file, parent === null ? null : basename(parent)) };
}
