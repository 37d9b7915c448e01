/** A rate that all who name the same key share. */
export interface Limit {
  readonly key: string;
  readonly bytesPerSecond: number;
}

/** How fast an export may be written: by its job's rate and by its repository's at once; null is no limit. */
export interface ExportLimits {
  readonly job: Limit | null;
  readonly repository: Limit | null;
}
