import { stat } from 'node:fs/promises';

import type { ChainHead, ImageCondition } from '#domain/backup/disk-mode';
import { NotAFile, sha256OfFile } from '#platform/repositories/file-hash';
import { pathBeneath, PathLeavesRoot } from '#platform/repositories/path-beneath';

import { ImageConditions, ImagesOutOfReach } from './image-conditions.port.js';
import { openImage } from './layers.js';
import { ImageRefused } from './qcow2-header.js';

const PASSING = [
  'EAGAIN',
  'EBUSY',
  'EHOSTDOWN',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOTCONN',
  'EREMOTEIO',
  'ESTALE',
  'ETIMEDOUT',
];

/** Looks at headers and manifests in a directory. */
export class PosixImageConditions extends ImageConditions {
  async of(root: string, { layers, fileSizesBytes, sizeBytes, manifestSha256 }: ChainHead): Promise<ImageCondition> {
    const image = layers.at(-1);
    if (image === undefined) return 'missing';
    try {
      const { file, beneath, header } = await openImage({ root, image, layers: layers.slice(0, -1) });
      if (header.dirty || header.corrupt || header.virtualSizeBytes !== sizeBytes) return 'unreadable';
      const there = await Promise.all([...beneath, file].map(async (one) => (await stat(one)).size));
      if (there.some((bytes, index) => bytes < (fileSizesBytes[index] ?? 0))) return 'unreadable';
      if (manifestSha256 === null) return 'intact';
      return (await sha256OfFile(await pathBeneath(root, `${image}.manifest`))) === manifestSha256
        ? 'intact'
        : 'altered';
    } catch (error) {
      return conditionIn(error);
    }
  }
}

function conditionIn(error: unknown): ImageCondition {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
  // Said of a file server or of this process, and gone a moment later: nothing is known of the image.
  if (code !== undefined && PASSING.includes(code)) throw new ImagesOutOfReach(code, { cause: error });
  const isOfImage = error instanceof NotAFile || error instanceof ImageRefused || error instanceof PathLeavesRoot;
  if (isOfImage || code !== undefined) return 'unreadable';
  throw error;
}
