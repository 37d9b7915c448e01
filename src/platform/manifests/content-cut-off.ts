import { ContentCutOff } from './hash-workers.js';

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

/** Says where in the disk the content of a piece at `offset` is cut off; goes on with every other error. */
export function atPlace(offset: number): (error: unknown) => never {
  return (error) => {
    throw error instanceof ContentCutOff ? new ContentEndsBefore(offset + error.bytesThere) : error;
  };
}
