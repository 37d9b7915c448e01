import { ContentCutOff, ContentUnreadable } from './hash-workers.js';

/** The image file ends before what its own map says it holds. */
export class ContentEndsBefore extends Error {
  override readonly name = 'ContentEndsBefore';
  constructor(
    /** In the disk, bytes. */
    readonly offset: number,
  ) {
    super(`the image file ends before the content at offset ${offset}`);
  }
}

/** The storage refuses to give the bytes back. */
export class ContentLost extends Error {
  override readonly name = 'ContentLost';
  constructor(
    /** Of the piece in the disk, bytes. */
    readonly offset: number,
  ) {
    super(`the content at offset ${offset} can not be read from its storage`);
  }
}

/** Says where in the disk the content of a piece at `offset` is cut off or lost; goes on with every other error. */
export function atPlace(offset: number): (error: unknown) => never {
  return (error) => {
    if (error instanceof ContentUnreadable && error.code === 'EIO') throw new ContentLost(offset);
    throw error instanceof ContentCutOff ? new ContentEndsBefore(offset + error.bytesThere) : error;
  };
}
