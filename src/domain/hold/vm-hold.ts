import type { Decider } from '../kernel/decider.js';
import { DomainError } from '../kernel/domain-error.js';
import type { DomainEvent, JsonObject } from '../kernel/event.js';

/** Operations of which a VM can bear one at a time. */
export type HeldFor = 'backup';

/**
 * One operation per VM at a time, and nothing else is a lock. The hold is the first fact of an operation: it carries the
 * job's id and its whole plan, and the saga that does the job starts from it. Stream: `vmhold-<context id>`.
 */
export type VmHeld = DomainEvent<
  'VmHeld',
  { readonly jobId: string; readonly contextId: string; readonly operation: HeldFor; readonly plan: JsonObject }
>;
/** The operation is over, however it ended: the next one may hold the VM. */
export type VmReleased = DomainEvent<'VmReleased', { readonly jobId: string; readonly contextId: string }>;
export type VmHoldEvent = VmHeld | VmReleased;

export type VmHoldCommand =
  /** `turn` is the one for which the plan was made: in another one, other operations came in between. */
  | ({ readonly type: 'TakeHold'; readonly turn: number } & VmHeld['data'])
  | { readonly type: 'ReleaseHold'; readonly jobId: string; readonly contextId: string };

/** `turn` counts the operations that have held the VM before. */
export type VmHoldState =
  | { readonly is: 'free'; readonly turn: number }
  | { readonly is: 'held'; readonly turn: number; readonly jobId: string; readonly operation: HeldFor };

export const vmHold: Decider<VmHoldState, VmHoldCommand, VmHoldEvent> = {
  initial: { is: 'free', turn: 0 },
  evolve: ({ turn }, event) => {
    switch (event.type) {
      case 'VmHeld':
        return { is: 'held', turn, jobId: event.data.jobId, operation: event.data.operation };
      case 'VmReleased':
        return { is: 'free', turn: turn + 1 };
    }
  },
  decide: (command, state) => {
    switch (command.type) {
      case 'TakeHold': {
        if (state.is === 'held') throw new VmIsHeld(state.operation, state.jobId);
        if (state.turn !== command.turn) throw new TurnHasPassed();
        const { jobId, contextId, operation, plan } = command;
        return [{ type: 'VmHeld', data: { jobId, contextId, operation, plan } }];
      }
      case 'ReleaseHold': {
        const { jobId, contextId } = command;
        return state.is === 'held' && state.jobId === jobId ? [{ type: 'VmReleased', data: { jobId, contextId } }] : [];
      }
    }
  },
};

/** The plan is of another time. Whoever takes a hold plans again. */
export class TurnHasPassed extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'turn-has-passed';
  constructor() {
    super('another operation of this VM came in between', 'try again');
  }
}

export class VmIsHeld extends DomainError {
  readonly kind = 'conflict';
  readonly code = 'vm-is-held';
  constructor(
    operation: HeldFor,
    /** The job that has it. */
    readonly jobId: string,
  ) {
    super(`a ${operation} of this VM is under way as job ${jobId}`, 'wait for that job or cancel it', {
      job_id: jobId,
    });
  }
}
