import type { ChainHead, ImageCondition } from '#domain/backup/disk-mode';

/** What can be seen of images without reading their content. */
export abstract class ImageConditions {
  /**
   * The worst of the chain that ends with `head`, whose images lie beneath `root`: one is missing, unreadable, shorter than it
   * was or not as it was closed, has another size than the disk, or the newest one's content manifest isn't the one that was
   * recorded. Throws ImagesOutOfReach when it can't be told just now.
   */
  abstract of(root: string, head: ChainHead): Promise<ImageCondition>;
}

/** The images can't be looked at just now; what they are like isn't known. */
export class ImagesOutOfReach extends Error {
  override readonly name = 'ImagesOutOfReach';
  constructor(code: string, options: ErrorOptions) {
    super(`the images of a chain can't be looked at just now: ${code}`, options);
  }
}
