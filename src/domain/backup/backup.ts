import type { Decider } from '../kernel/decider.js';
import type { DomainEvent } from '../kernel/event.js';
import { BackupIsOver, BackupNotUnderWay, ProofMissing } from './backup.errors.js';
import type { BackupPlan, DiskProof } from './backup-plan.js';

/** One backup job and, once completed, one restore point. Stream: `backup-<job id>`. */
export type BackupStarted = DomainEvent<'BackupStarted', BackupPlan>;
export type BackupCancelRequested = DomainEvent<'BackupCancelRequested', { readonly jobId: string }>;
/** The restore point exists from here on: every disk has its proof. */
export type BackupCompleted = DomainEvent<
  'BackupCompleted',
  { readonly jobId: string; readonly contextId: string; readonly disks: readonly DiskProof[] }
>;
export type BackupFailed = DomainEvent<'BackupFailed', BackupEnd>;
export type BackupCancelled = DomainEvent<'BackupCancelled', BackupEnd>;
export type BackupEvent = BackupStarted | BackupCancelRequested | BackupCompleted | BackupFailed | BackupCancelled;

type BackupEnd = {
  readonly jobId: string;
  readonly contextId: string;
  /** The step at which it ended; null when it was between steps. */
  readonly step: string | null;
  readonly code: string;
  readonly message: string;
  readonly remedy: string | null;
  /** Steps whose undoing failed: something of them may be left. */
  readonly leftovers: readonly string[];
};

export type BackupCommand =
  | { readonly type: 'StartBackup'; readonly plan: BackupPlan }
  | { readonly type: 'RequestCancel'; readonly jobId: string }
  /** Asks whether the proof suffices: refused, or nothing happens. Asked while everything can still be undone. */
  | ({ readonly type: 'ProveBackup' } & BackupCompleted['data'])
  | ({ readonly type: 'CompleteBackup' } & BackupCompleted['data'])
  | ({ readonly type: 'FailBackup' } & BackupEnd)
  | ({ readonly type: 'CancelBackup' } & BackupEnd);

export type BackupState =
  | { readonly is: 'planned'; readonly cancelRequested: boolean }
  | { readonly is: 'running'; readonly plan: BackupPlan; readonly cancelRequested: boolean }
  | { readonly is: 'over'; readonly as: 'completed' | 'failed' | 'cancelled' };

export const backup: Decider<BackupState, BackupCommand, BackupEvent> = {
  initial: { is: 'planned', cancelRequested: false },
  evolve: (state, event) => {
    switch (event.type) {
      case 'BackupStarted':
        return { is: 'running', plan: event.data, cancelRequested: state.is === 'planned' && state.cancelRequested };
      case 'BackupCancelRequested':
        return state.is === 'over' ? state : { ...state, cancelRequested: true };
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
      case 'ProveBackup':
        if (state.is !== 'running') throw new BackupNotUnderWay(command.jobId);
        prove(state.plan, command.disks);
        return [];
      case 'CompleteBackup': {
        if (state.is === 'over') return [];
        if (state.is !== 'running') throw new BackupNotUnderWay(command.jobId);
        prove(state.plan, command.disks);
        const { jobId, contextId, disks } = command;
        return [{ type: 'BackupCompleted', data: { jobId, contextId, disks } }];
      }
      case 'FailBackup':
        return state.is === 'over' ? [] : [{ type: 'BackupFailed', data: endOf(command) }];
      case 'CancelBackup':
        return state.is === 'over' ? [] : [{ type: 'BackupCancelled', data: endOf(command) }];
    }
  },
};

/** A restore point needs proof for exactly the planned disks, each of the planned size. */
function prove(plan: BackupPlan, disks: readonly DiskProof[]): void {
  const proofs = new Map(disks.map((disk) => [disk.deviceKey, disk]));
  const unproven = plan.disks.filter((disk) => {
    const proof = proofs.get(disk.deviceKey);
    return proof?.virtualSizeBytes !== disk.sizeBytes || proof.bytesCopied !== disk.sizeBytes;
  });
  if (unproven.length > 0 || proofs.size !== plan.disks.length) {
    throw new ProofMissing(unproven.map((disk) => disk.diskId));
  }
}

function endOf(command: BackupEnd): BackupEnd {
  const { jobId, contextId, step, code, message, remedy, leftovers } = command;
  return { jobId, contextId, step, code, message, remedy, leftovers };
}
