/** Space of the filesystem that a repository lives on, in bytes; `usedPercent` as `df` counts it, 0 to 100. */
export interface Capacity {
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** What OMA may still write: without the share that the system keeps for root. */
  readonly availableBytes: number;
  readonly usedPercent: number;
}

/** Directories of this machine as backup targets. */
export abstract class LocalRepositoryStorage {
  /**
   * Makes the directory where it is missing, proves that it takes and keeps a file, and marks it as a repository. Answers
   * the path without links. Throws RepositoryPathRefused. Harmless when repeated.
   */
  abstract prepare(path: string): Promise<string>;
  /** Throws RepositoryPathRefused when the directory isn't there. */
  abstract capacity(path: string): Promise<Capacity>;
  /** Like `capacity`, and refuses a directory without the mark: then its disk isn't mounted, or it was never prepared. */
  abstract preflight(path: string): Promise<Capacity>;
}

export type RepositoryPathFault =
  | 'not-absolute'
  | 'system-directory'
  | 'own-directory'
  | 'not-a-directory'
  | 'not-creatable'
  | 'not-writable'
  | 'missing'
  | 'not-marked';

/** The directory can't be a backup target. The message is for the user; it doesn't repeat the path. */
export class RepositoryPathRefused extends Error {
  override readonly name = 'RepositoryPathRefused';
  constructor(
    readonly fault: RepositoryPathFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
