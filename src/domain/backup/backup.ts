import type { Decider } from '../kernel/decider.js';
import type { DomainEvent } from '../kernel/event.js';
import { type JobEnd, jobEnd } from '../kernel/job-end.js';
import {
  BackupIsOver,
  BackupNotUnderWay,
  CompletionMissing,
  DiskNotInJob,
  DiskReportedOtherwise,
  ProofMissing,
  UnknownBackup,
} from './backup.errors.js';
import type { BackupPlan, DiskProof } from './backup-plan.js';
import { isSameChangeId } from './change-id.js';
import { awaitsCompletion, doubtIn } from './proof.js';

/** One backup job and, once completed, one restore point. Stream: `backup-<job id>`. */
export type BackupStarted = DomainEvent<'BackupStarted', BackupPlan>;
/** Somebody wants the job ended, or OMA was stopped. It ends as `BackupCancelled`, unless how it ends was settled by then. */
export type BackupCancelRequested = DomainEvent<'BackupCancelRequested', { readonly jobId: string }>;
/** The agent says that it has copied one disk, and up to which bookmark. */
export type DiskReported = DomainEvent<
  'DiskReported',
  { readonly jobId: string; readonly deviceKey: number; readonly changeId: string }
>;
/** Every disk has its proof, so the agent has nothing to add any more. With the bookmarks of the disks that have one, by device key. */
export type BackupProven = DomainEvent<'BackupProven', { readonly jobId: string; readonly changeIds: Reports }>;
/** The restore point exists from here on. */
export type BackupCompleted = DomainEvent<
  'BackupCompleted',
  { readonly jobId: string; readonly contextId: string; readonly disks: readonly DiskProof[] }
>;
/** The job is over and left no restore point; `leftovers` names the steps that could not be undone. */
export type BackupFailed = DomainEvent<'BackupFailed', BackupEnd>;
/** The same after it was asked for, by somebody or by a stop of OMA. */
export type BackupCancelled = DomainEvent<'BackupCancelled', BackupEnd>;
export type BackupEvent =
  | BackupStarted
  | BackupCancelRequested
  | DiskReported
  | BackupProven
  | BackupCompleted
  | BackupFailed
  | BackupCancelled;

type BackupEnd = { readonly jobId: string; readonly contextId: string } & JobEnd;

export type BackupCommand =
  | { readonly type: 'StartBackup'; readonly plan: BackupPlan }
  | { readonly type: 'RequestCancel'; readonly jobId: string }
  /** From the agent named `agent`; a disk is named by its small number, its device key, or both. */
  | {
      readonly type: 'ReportDisk';
      readonly jobId: string;
      readonly agent: string;
      readonly diskId: number | null;
      readonly deviceKey: number | null;
      readonly changeId: string;
    }
  /** Refused unless the proof suffices. Asked while everything can still be undone. */
  | ({ readonly type: 'ProveBackup' } & BackupCompleted['data'])
  | ({ readonly type: 'CompleteBackup' } & BackupCompleted['data'])
  | ({ readonly type: 'FailBackup' } & BackupEnd)
  | ({ readonly type: 'CancelBackup' } & BackupEnd);

/** Change ids that the agent told with the completion of disks, by device key. */
export type Reports = Readonly<Record<string, string>>;

export type BackupState =
  | { readonly is: 'planned'; readonly cancelRequested: boolean }
  | {
      readonly is: 'running';
      readonly plan: BackupPlan;
      readonly cancelRequested: boolean;
      readonly reports: Reports;
      readonly isProven: boolean;
    }
  | { readonly is: 'over'; readonly as: 'completed' | 'failed' | 'cancelled' };

export const backup: Decider<BackupState, BackupCommand, BackupEvent> = {
  initial: { is: 'planned', cancelRequested: false },
  evolve: (state, event) => {
    switch (event.type) {
      case 'BackupStarted':
        return {
          is: 'running',
          plan: event.data,
          cancelRequested: state.is === 'planned' && state.cancelRequested,
          reports: {},
          isProven: false,
        };
      case 'BackupCancelRequested':
        return state.is === 'over' ? state : { ...state, cancelRequested: true };
      case 'DiskReported':
        if (state.is !== 'running') return state;
        return { ...state, reports: { ...state.reports, [event.data.deviceKey]: event.data.changeId } };
      case 'BackupProven':
        return state.is === 'running' ? { ...state, isProven: true } : state;
      case 'BackupCompleted':
        return { is: 'over', as: 'completed' };
      case 'BackupFailed':
        return { is: 'over', as: 'failed' };
      case 'BackupCancelled':
        return { is: 'over', as: 'cancelled' };
    }
  },
  decide: (command, state) => {
    switch (command.type) {
      case 'StartBackup':
        return state.is === 'planned' ? [{ type: 'BackupStarted', data: command.plan }] : [];
      case 'RequestCancel':
        if (state.is === 'over') throw new BackupIsOver(command.jobId, state.as);
        return state.cancelRequested ? [] : [{ type: 'BackupCancelRequested', data: { jobId: command.jobId } }];
      case 'ReportDisk':
        return report(state, command);
      case 'ProveBackup':
        return prove(state, command);
      case 'CompleteBackup': {
        if (state.is === 'over') return [];
        if (state.is !== 'running') throw new BackupNotUnderWay(command.jobId);
        const { jobId, contextId } = command;
        return [{ type: 'BackupCompleted', data: { jobId, contextId, disks: proven(state, command.disks) } }];
      }
      case 'FailBackup':
        return state.is === 'over' ? [] : [{ type: 'BackupFailed', data: endOf(command) }];
      case 'CancelBackup':
        return state.is === 'over' ? [] : [{ type: 'BackupCancelled', data: endOf(command) }];
    }
  },
};

type Running = Extract<BackupState, { is: 'running' }>;

/** A report counts for exactly one disk of an open job of the agent that makes it; said again it changes nothing. */
function report(
  state: BackupState,
  { jobId, agent, diskId, deviceKey, changeId }: Extract<BackupCommand, { type: 'ReportDisk' }>,
): readonly BackupEvent[] {
  if (state.is === 'planned') throw new UnknownBackup(jobId);
  if (state.is === 'over') throw new BackupIsOver(jobId, state.as);
  if (state.plan.agent !== agent) throw new UnknownBackup(jobId);
  const disk = state.plan.disks.find(
    (one) => (diskId ?? one.diskId) === one.diskId && (deviceKey ?? one.deviceKey) === one.deviceKey,
  );
  if (disk === undefined || (diskId === null && deviceKey === null)) throw new DiskNotInJob(jobId);
  const before = state.reports[disk.deviceKey];
  if (before !== undefined && isSameChangeId(before, changeId)) return [];
  if (before !== undefined) throw new DiskReportedOtherwise(disk.diskId, before);
  if (state.isProven) throw new BackupIsOver(jobId, 'copied');
  return [{ type: 'DiskReported', data: { jobId, deviceKey: disk.deviceKey, changeId } }];
}

function prove(
  state: BackupState,
  { jobId, disks }: Extract<BackupCommand, { type: 'ProveBackup' }>,
): readonly BackupEvent[] {
  if (state.is !== 'running') throw new BackupNotUnderWay(jobId);
  const bookmarks = proven(state, disks).flatMap(({ deviceKey, changeId }) =>
    changeId === null ? [] : [[String(deviceKey), changeId]],
  );
  if (state.isProven) return [];
  return [{ type: 'BackupProven', data: { jobId, changeIds: Object.fromEntries(bookmarks) as Reports } }];
}

/** A restore point needs proof for exactly the planned disks. Answers the proofs with the bookmarks that were reported. */
function proven({ plan, reports }: Running, disks: readonly DiskProof[]): readonly DiskProof[] {
  const proofs = new Map(disks.map((disk) => [disk.deviceKey, disk]));
  const late = disks.filter((proof) => awaitsCompletion(proof, reports[proof.deviceKey] ?? null));
  if (late.length > 0) throw new CompletionMissing(late.map(({ diskId }) => diskId));
  const doubts = plan.disks.flatMap((disk) => {
    const why = doubtIn(disk, proofs.get(disk.deviceKey), reports[disk.deviceKey] ?? null);
    return why === null ? [] : [{ diskId: disk.diskId, why }];
  });
  if (doubts.length > 0 || proofs.size !== plan.disks.length || disks.length !== proofs.size) {
    throw new ProofMissing(doubts);
  }
  return disks.map((proof) => ({ ...proof, changeId: proof.changeId ?? reports[proof.deviceKey] ?? null }));
}

function endOf(command: BackupEnd): BackupEnd {
  return { jobId: command.jobId, contextId: command.contextId, ...jobEnd(command) };
}
