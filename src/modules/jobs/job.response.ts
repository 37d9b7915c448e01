import { Shown } from '#platform/http/answer-fields';
import type { JobRow } from '#projections/jobs/job.entity';

const TYPES = ['backup', 'restore_mount', 'verification'] as const;
const STATUSES = ['running', 'completed', 'failed', 'cancelled'] as const;
const STEP_STATUSES = ['planned', 'running', 'completed', 'failed', 'cancelled'] as const;

/** Who asked for a job. */
export class RequesterResponse {
  @Shown.text('user, schedule or another kind of actor') kind: string;
  @Shown.text('its id') id: string;
}

export class JobErrorResponse {
  @Shown.text('the step that failed', { nullable: true }) step: string | null;
  @Shown.text('stable, for programs') code: string;
  @Shown.text('for people') message: string;
  @Shown.text('what to do about it', { nullable: true }) remedy: string | null;
}

export class JobStepResponse {
  @Shown.text('its name, for programs') step: string;
  @Shown.text('what it does, for people') title: string;
  @Shown.oneOf(STEP_STATUSES, 'how it is') status: (typeof STEP_STATUSES)[number];
  @Shown.moment('when it began', { nullable: true }) started_at: string | null;
  @Shown.moment('when it ended', { nullable: true }) ended_at: string | null;
  @Shown.text('why it failed', { nullable: true }) error_message: string | null;
}

/** One job, whatever its kind. */
export class JobResponse {
  @Shown.text('its id') job_id: string;
  @Shown.oneOf(TYPES, 'what it does') job_type: string;
  @Shown.oneOf(STATUSES, 'how it is') status: string;
  @Shown.flag('whether somebody cancelled it') cancel_requested: boolean;
  @Shown.text('which VM it is about') vm_context_id: string;
  @Shown.text('how the VM was called') vm_name: string;
  @Shown.whole('100 belongs to completed jobs alone; of a backup it counts bytes, of other jobs steps')
  progress_percent: number;
  @Shown.nested(RequesterResponse, 'who asked for it') requested_by: RequesterResponse;
  @Shown.text('common to all that followed from one request') correlation_id: string;
  @Shown.nested(JobErrorResponse, 'why it failed or was cancelled', { optional: true }) error?: JobErrorResponse;
  @Shown.texts('what may be left because undoing it failed') leftovers: readonly string[];
  @Shown.moment('when it was asked for') created_at: string;
  @Shown.moment('when it moved last') updated_at: string;
  @Shown.moment('when it was over', { nullable: true }) completed_at: string | null;
}

/** With the step it is at, or waits for. */
export class JobDetailsResponse extends JobResponse {
  @Shown.text('the title of the step it is at', { nullable: true }) current_step: string | null;
  @Shown.text('what a step of it has been waiting for these seconds', { nullable: true }) waits_for: string | null;
  @Shown.list(JobStepResponse, 'planned and done') steps: readonly JobStepResponse[];
}

export class JobsPageResponse {
  @Shown.list(JobResponse, 'newest first') jobs: readonly JobResponse[];
  @Shown.text('cursor of the next page; null on the last', { nullable: true }) next_cursor: string | null;
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

export function jobDetailsResponse(row: JobRow, copied: number | null, waitsFor: string | null): JobDetailsResponse {
  const current = row.steps.find((step) => step.status === 'running');
  const more = { current_step: current?.title ?? null, waits_for: waitsFor, steps: row.steps };
  return Object.assign(jobResponse(row, copied), more);
}

const ALMOST = 99;

function percentOf(row: JobRow, copied: number | null): number {
  const done = row.steps.filter((step) => step.status === 'completed').length;
  const share = copied ?? (row.steps.length === 0 ? 0 : done / row.steps.length);
  return Math.min(ALMOST, Math.floor(share * 100));
}
