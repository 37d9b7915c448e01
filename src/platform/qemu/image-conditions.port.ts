import type { ImageCondition } from '#domain/backup/disk-mode';

/** What can be seen of images without reading their content. */
export abstract class ImageConditions {
  /**
   * The worst of a chain whose images are `layers`, oldest first, relative to `root`: one is missing, unreadable or not as
   * it was closed, or the newest one's content manifest isn't the one that was recorded.
   */
  abstract of(root: string, layers: readonly string[], manifestSha256: string | null): Promise<ImageCondition>;
}
