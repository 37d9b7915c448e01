import type { ChainHead, ImageCondition } from '#domain/backup/disk-mode';

/** What can be seen of images without reading their content. */
export abstract class ImageConditions {
  /**
   * The worst of the chain that ends with `head`, whose images lie beneath `root`: one is missing, unreadable, shorter than it
   * was or not as it was closed, has another size than the disk, or the newest one's content manifest isn't the one that was
   * recorded.
   */
  abstract of(root: string, head: ChainHead): Promise<ImageCondition>;
}
