/** What the lab put on a disk, kept beside the disk so that a restore can be compared with it. */
export interface DiskManifest {
  /** Number of the partition that holds the files; null when the disk has no filesystem that can be read. */
  readonly partition: number | null;
  readonly files: readonly ManifestFile[];
  readonly others: readonly ManifestOther[];
}

/** A regular file. `path` is base64 of the path's bytes, from `/`, because names needn't be text; `size` is bytes. */
export interface ManifestFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** Anything that isn't a regular file; `target` is base64 of where a symbolic link points. */
export interface ManifestOther {
  readonly path: string;
  readonly type: 'folder' | 'symlink' | 'fifo' | 'device';
  readonly target?: string;
}
