import type { SagaEvent } from '#domain/kernel/saga';

/** One step of a job as people see it. */
export type JobStep = {
  readonly step: string;
  readonly title: string;
  readonly status: 'planned' | 'running' | 'completed' | 'failed' | 'cancelled';
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly error_message: string | null;
};

/** Looks that repeat for as long as something is held open aren't steps of the job. */
const REPEATED = 'check:';

/** The steps after one more event of the job's saga. */
export function stepsAfter(steps: readonly JobStep[], event: SagaEvent, at: string): readonly JobStep[] {
  switch (event.type) {
    case 'SagaInputReceived':
      return [...steps, ...(event.data.planned ?? []).map((planned) => ({ ...blank, ...planned }))];
    case 'EffectRequested': {
      if (event.data.step.startsWith(REPEATED)) return steps;
      const { step, title } = event.data;
      const begun: JobStep = { ...blank, step, title, status: 'running', started_at: at };
      return steps.some((known) => known.step === step)
        ? steps.map((known) => (known.step === step ? begun : known))
        : [...steps, begun];
    }
    case 'EffectSucceeded':
      return settle(steps, event.data.step, { status: 'completed', ended_at: at });
    case 'EffectFailed':
      return settle(steps, event.data.step, {
        status: 'failed',
        ended_at: at,
        error_message: event.data.failure.message,
      });
    case 'EffectCancelled':
      return settle(steps, event.data.step, { status: 'cancelled', ended_at: at });
    case 'EffectCancelRequested':
    case 'WatchEnded':
    case 'TimerSet':
    case 'TimerFired':
    case 'SagaEnded':
      return steps;
  }
}

const blank = { status: 'planned', started_at: null, ended_at: null, error_message: null } as const;

function settle(steps: readonly JobStep[], step: string, change: Partial<JobStep>): readonly JobStep[] {
  return steps.map((known) => (known.step === step ? { ...known, ...change } : known));
}
