import { Allow } from 'class-validator';

import { NestedList, Text, Whole } from '#platform/http/fields';

const MAX_DISKS = 256;
const MAX_DISK = 65_535;
const MAX_KEY = 999_999_999;
const BYTES = { min: 0, max: Number.MAX_SAFE_INTEGER, optional: true } as const;

export class DiskTelemetryRequest {
  @Whole({ about: "the disk by OMA's number", min: 0, max: MAX_DISK, optional: true })
  readonly disk_index?: number;

  @Whole({ about: "the disk by VMware's key", min: 0, max: MAX_KEY, optional: true })
  readonly device_key?: number;

  @Whole({ about: 'copied', ...BYTES, optional: false })
  readonly bytes_transferred: number;

  @Whole({ about: 'to copy', ...BYTES })
  readonly total_bytes?: number;

  @Text({ about: "the agent's word", max: 64, optional: true })
  readonly status?: string;

  /** Reckoned by OMA itself. */
  @Allow()
  readonly progress_percent?: unknown;
}

/** The contract's telemetry (contract-c 10.1). What OMA reckons or finds out by itself is taken and not believed. */
export class TelemetryRequest {
  @Text({ about: 'as in the path', max: 128, optional: true })
  readonly job_id?: string;

  @Text({ about: 'as in the path', max: 64, optional: true })
  readonly job_type?: string;

  @Text({ about: "the agent's word", max: 64, optional: true })
  readonly status?: string;

  @Text({ about: "the agent's word", min: 0, max: 256, optional: true })
  readonly current_phase?: string;

  @Whole({ about: 'copied, of jobs with one disk', ...BYTES })
  readonly bytes_transferred?: number;

  @Whole({ about: 'to copy, of jobs with one disk', ...BYTES })
  readonly total_bytes?: number;

  @NestedList(() => DiskTelemetryRequest, { about: 'each disk', max: MAX_DISKS, optional: true })
  readonly disks?: DiskTelemetryRequest[];

  @Text({ about: 'when it was so', max: 64, optional: true })
  readonly timestamp?: string;

  @Allow()
  readonly transfer_speed_bps?: unknown;

  @Allow()
  readonly eta_seconds?: unknown;

  @Allow()
  readonly progress_percent?: unknown;

  @Allow()
  readonly error?: unknown;
}
