import { ViewColumn, ViewEntity } from 'typeorm';

import type { JobRecord } from './job.projection.js';
import type { JobStep } from './job-steps.js';

/** Anything that takes longer than a request. */
@ViewEntity({ name: 'job', synchronize: false })
export class JobRow {
  @ViewColumn({ name: 'job_id' })
  readonly jobId: string;

  @ViewColumn({ name: 'job_type' })
  readonly jobType: JobRecord['job_type'];

  @ViewColumn()
  readonly status: JobRecord['status'];

  @ViewColumn({ name: 'cancel_requested' })
  readonly cancelRequested: boolean;

  @ViewColumn({ name: 'vm_context_id' })
  readonly vmContextId: string;

  @ViewColumn({ name: 'vm_name' })
  readonly vmName: string;

  @ViewColumn({ name: 'actor_kind' })
  readonly actorKind: string;

  @ViewColumn({ name: 'actor_id' })
  readonly actorId: string;

  @ViewColumn({ name: 'correlation_id' })
  readonly correlationId: string;

  @ViewColumn()
  readonly steps: readonly JobStep[];

  @ViewColumn({ name: 'error_step' })
  readonly errorStep: string | null;

  @ViewColumn({ name: 'error_code' })
  readonly errorCode: string | null;

  @ViewColumn({ name: 'error_message' })
  readonly errorMessage: string | null;

  @ViewColumn({ name: 'error_remedy' })
  readonly errorRemedy: string | null;

  @ViewColumn()
  readonly leftovers: readonly string[];

  @ViewColumn({ name: 'created_at' })
  readonly createdAt: Date;

  @ViewColumn({ name: 'updated_at' })
  readonly updatedAt: Date;

  @ViewColumn({ name: 'completed_at' })
  readonly completedAt: Date | null;

  /** Of the stream that decides over it; -1 while that is empty. */
  @ViewColumn({ transformer: { from: Number, to: String } })
  readonly revision: number;
}
