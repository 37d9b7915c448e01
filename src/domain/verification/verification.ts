import type { Decider } from '../kernel/decider.js';
import { DomainError } from '../kernel/domain-error.js';
import type { DomainEvent } from '../kernel/event.js';
import { type JobEnd, jobEnd } from '../kernel/job-end.js';

/** A restore point is read again and compared with its content manifests. Stream: `verification-<job id>`. */
export type VerificationRequested = DomainEvent<'VerificationRequested', VerificationPlan>;
/** Somebody wants the job ended. */
export type VerificationCancelRequested = DomainEvent<'VerificationCancelRequested', { readonly jobId: string }>;
/** What was found, layer by layer. A layer with damage can't be trusted, nor anything that stands on it. */
export type VerificationCompleted = DomainEvent<
  'VerificationCompleted',
  { readonly jobId: string; readonly backupId: string; readonly findings: readonly Finding[] }
>;
/** The layers could not be read to their end; what they hold is as unknown as before. */
export type VerificationFailed = DomainEvent<'VerificationFailed', VerificationEnd>;
/** The same because somebody asked for it. */
export type VerificationCancelled = DomainEvent<'VerificationCancelled', VerificationEnd>;
export type VerificationEvent =
  | VerificationRequested
  | VerificationCancelRequested
  | VerificationCompleted
  | VerificationFailed
  | VerificationCancelled;

export type VerificationPlan = {
  readonly jobId: string;
  readonly backupId: string;
  readonly contextId: string;
  readonly vmName: string;
  readonly root: string;
  /** Every layer that a restore of the point reads. */
  readonly layers: readonly VerifiedLayer[];
};

/** One image and the manifest that was recorded when it was proven. Sizes are bytes. */
export type VerifiedLayer = {
  readonly backupId: string;
  readonly deviceKey: number;
  readonly sizeBytes: number;
  readonly image: string;
  /** Images beneath it, oldest first. */
  readonly beneath: readonly string[];
  readonly manifestSha256: string;
  readonly parentManifestSha256: string | null;
};

export type Finding = {
  readonly backupId: string;
  readonly deviceKey: number;
  /** null when the layer is what its manifest says. */
  readonly damage: LayerDamage | null;
  /** When the reading of the layer began, in UTC: what was found later than that isn't outdone by it. */
  readonly readAt: string;
};

/** Offset and length are null when it isn't a matter of one place in the disk. */
export type LayerDamage = {
  readonly reason: string;
  readonly offsetBytes: number | null;
  readonly lengthBytes: number | null;
};

type VerificationEnd = { readonly jobId: string; readonly backupId: string } & JobEnd;

export type VerificationCommand =
  | { readonly type: 'RequestVerification'; readonly plan: VerificationPlan }
  | { readonly type: 'RequestCancel'; readonly jobId: string }
  | ({ readonly type: 'CompleteVerification' } & VerificationCompleted['data'])
  | ({ readonly type: 'FailVerification' } & VerificationEnd)
  | ({ readonly type: 'CancelVerification' } & VerificationEnd);

export type VerificationState = 'unknown' | 'running' | 'cancelling' | 'over';

export const verification: Decider<VerificationState, VerificationCommand, VerificationEvent> = {
  initial: 'unknown',
  evolve: (_state, event) => {
    switch (event.type) {
      case 'VerificationRequested':
        return 'running';
      case 'VerificationCancelRequested':
        return 'cancelling';
      case 'VerificationCompleted':
      case 'VerificationFailed':
      case 'VerificationCancelled':
        return 'over';
    }
  },
  decide: (command, state) => {
    switch (command.type) {
      case 'RequestVerification':
        return state === 'unknown' ? [{ type: 'VerificationRequested', data: command.plan }] : [];
      case 'RequestCancel': {
        const { jobId } = command;
        if (state === 'over' || state === 'unknown') throw new VerificationIsOver(jobId);
        return state === 'cancelling' ? [] : [{ type: 'VerificationCancelRequested', data: { jobId } }];
      }
      case 'CompleteVerification': {
        const { jobId, backupId, findings } = command;
        return state === 'over' ? [] : [{ type: 'VerificationCompleted', data: { jobId, backupId, findings } }];
      }
      case 'FailVerification':
        return state === 'over' ? [] : [{ type: 'VerificationFailed', data: endOf(command) }];
      case 'CancelVerification':
        return state === 'over' ? [] : [{ type: 'VerificationCancelled', data: endOf(command) }];
    }
  },
};

function endOf(command: VerificationEnd): VerificationEnd {
  return { jobId: command.jobId, backupId: command.backupId, ...jobEnd(command) };
}

export class VerificationIsOver extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'job-is-over';
  constructor(jobId: string) {
    super(`job ${jobId} is over already`, undefined, { job_id: jobId });
  }
}

/** Points of the time before content manifests can't be compared with anything. */
export class NothingToVerify extends DomainError {
  readonly kind = 'rule-broken';
  readonly code = 'nothing-to-verify';
  constructor(backupId: string) {
    super(`backup ${backupId} has no content manifest to be compared with`, 'take a new full backup', {
      backup_id: backupId,
    });
  }
}
