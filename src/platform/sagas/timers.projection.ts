import type { Projection } from '#domain/kernel/projection';
import type { SagaEvent } from '#domain/kernel/saga';

/** A timer that is set; fired and forgotten ones have no row. */
export type TimerRow = {
  timer_id: string;
  stream: string;
  step: string;
  due_at: string;
  set_event_id: string;
};

const MS_PER_SECOND = 1000;

export const timersProjection: Projection<TimerRow> = {
  name: 'timer',
  version: 1,
  table: {
    key: 'timer_id',
    columns: { timer_id: 'uuid', stream: 'text', step: 'text', due_at: 'timestamptz', set_event_id: 'text' },
    indexes: [['due_at']],
  },
  handles: ['TimerSet', 'TimerFired', 'SagaEnded'],
  keysOf: (stored) => {
    const event = stored as unknown as SagaEvent;
    if (event.type === 'SagaEnded') return event.data.timerIds;
    return event.type === 'TimerSet' || event.type === 'TimerFired' ? [event.data.timerId] : [];
  },
  evolve: (_row, stored) => {
    const event = stored as unknown as SagaEvent;
    if (event.type !== 'TimerSet') return null;
    const dueAt = new Date(stored.recordedAt.getTime() + event.data.seconds * MS_PER_SECOND).toISOString();
    const { timerId, step } = event.data;
    return { timer_id: timerId, stream: stored.stream, step, due_at: dueAt, set_event_id: stored.id };
  },
};
