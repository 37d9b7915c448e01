import type { JobRow } from '#projections/jobs/job.entity';
import type { JobStep } from '#projections/jobs/job-steps';

/** One job, whatever its kind. */
export interface JobResponse {
  job_id: string;
  job_type: string;
  status: string;
  cancel_requested: boolean;
  vm_context_id: string;
  vm_name: string;
  /** 100 belongs to completed jobs alone; of a backup it counts bytes, of other jobs steps. */
  progress_percent: number;
  requested_by: { kind: string; id: string };
  correlation_id: string;
  error?: { step: string | null; code: string; message: string; remedy: string | null };
  /** What may be left because undoing it failed. */
  leftovers: readonly string[];
  created_at: string;
  updated_at: string;
  completed_at: string | null;
}

/** With the step it is at, or waits for. */
export interface JobDetailsResponse extends JobResponse {
  current_step: string | null;
  steps: readonly JobStep[];
}

/** `copied` is the share of bytes that an agent has copied, from 0 to 1; null for jobs without one. */
export function jobResponse(row: JobRow, copied: number | null): JobResponse {
  return {
    job_id: row.jobId,
    job_type: row.jobType,
    status: row.status,
    cancel_requested: row.cancelRequested,
    vm_context_id: row.vmContextId,
    vm_name: row.vmName,
    progress_percent: row.status === 'completed' ? 100 : percentOf(row, copied),
    requested_by: { kind: row.actorKind, id: row.actorId },
    correlation_id: row.correlationId,
    ...(row.errorCode !== null && {
      error: { step: row.errorStep, code: row.errorCode, message: row.errorMessage ?? '', remedy: row.errorRemedy },
    }),
    leftovers: row.leftovers,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    completed_at: row.completedAt?.toISOString() ?? null,
  };
}

export function jobDetailsResponse(row: JobRow, copied: number | null): JobDetailsResponse {
  const current = row.steps.find((step) => step.status === 'running');
  return { ...jobResponse(row, copied), current_step: current?.title ?? null, steps: row.steps };
}

const ALMOST = 99;

function percentOf(row: JobRow, copied: number | null): number {
  const done = row.steps.filter((step) => step.status === 'completed').length;
  const share = copied ?? (row.steps.length === 0 ? 0 : done / row.steps.length);
  return Math.min(ALMOST, Math.floor(share * 100));
}
