/** What one demonstration did, for those who check it with a program. Sizes are bytes. */
export interface DemoReport {
  readonly ok: boolean;
  /** Why the story ended before its end; null when it was told whole. */
  readonly error: string | null;
  readonly seconds: number;
  readonly ids: Readonly<Record<string, string | number>>;
  readonly steps: readonly StepReport[];
  readonly disks: readonly { readonly disk_id: number; readonly device_key: number; readonly size_bytes: number }[];
  readonly files: readonly FileReport[];
  /** Restore points of the mounted disk, oldest first, compared bit by bit with what the guest held then. */
  readonly points: readonly PointReport[];
  readonly files_equal: boolean;
  readonly left_behind: readonly string[];
}

export interface StepReport {
  readonly name: string;
  readonly seconds: number;
  /** Types of the events that the step caused, with their number. */
  readonly events: Readonly<Record<string, number>>;
}

export interface FileReport {
  /** Percent-encoded, since names of guests are bytes. */
  readonly path: string;
  readonly partition: number;
  readonly size_bytes: number;
  readonly source_sha256: string;
  readonly restored_sha256: string;
}

export interface PointReport {
  readonly backup_id: string;
  readonly mode: string;
  readonly identical: boolean;
}
