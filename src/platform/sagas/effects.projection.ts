import type { JsonObject, StoredEvent } from '#domain/kernel/event';
import type { Projection } from '#domain/kernel/projection';
import type { RetryRule, SagaEvent } from '#domain/kernel/saga';

import { splitStream } from './saga-log.js';

/** One effect: what was asked and what became of it. Rebuilding this table never does anything again. */
export type EffectRow = {
  effect_id: string;
  stream: string;
  saga: string;
  saga_id: string;
  /** The instance whose machine it concerns; null when nobody said. */
  home: string | null;
  step: string;
  title: string;
  kind: string;
  args: JsonObject;
  resource: string;
  timeout_seconds: number;
  retry: JsonObject;
  /** True from success to the end of something that must go on living. */
  watched: boolean;
  state: 'pending' | 'cancelling' | 'succeeded' | 'failed' | 'cancelled';
  result: JsonObject | null;
  correlation_id: string;
  requested_event_id: string;
  requested_at: string;
};

const SETTLED = ['EffectSucceeded', 'EffectFailed', 'EffectCancelled'];

export const effectsProjection: Projection<EffectRow> = {
  name: 'effect',
  version: 2,
  table: {
    key: 'effect_id',
    columns: {
      effect_id: 'uuid',
      stream: 'text',
      saga: 'text',
      saga_id: 'text',
      home: 'text',
      step: 'text',
      title: 'text',
      kind: 'text',
      args: 'jsonb',
      resource: 'text',
      timeout_seconds: 'double precision',
      retry: 'jsonb',
      watched: 'boolean',
      state: 'text',
      result: 'jsonb',
      correlation_id: 'text',
      requested_event_id: 'text',
      requested_at: 'timestamptz',
    },
    indexes: [['state', 'requested_at'], ['stream'], ['watched']],
  },
  handles: ['EffectRequested', 'EffectCancelRequested', ...SETTLED, 'WatchEnded', 'SagaEnded'],
  keysOf: (event) => effectIdsOf(event as unknown as SagaEvent),
  evolve: (row, event, key) => evolve(row, event, event as unknown as SagaEvent, key),
  // A lease goes with the outcome and not before: until then its row tells how often the effect was tried.
  besides: (batch) => {
    const settled = batch.filter((event) => SETTLED.includes(event.type));
    if (settled.length === 0) return [];
    const ids = settled.map((event) => (event.data as { effectId: string }).effectId);
    return [{ sql: 'delete from effect_lease where effect_id = any($1::uuid[])', values: [ids] }];
  },
};

function effectIdsOf(event: SagaEvent): readonly string[] {
  switch (event.type) {
    case 'EffectRequested':
      return [event.data.effectId, ...event.data.endsEffects];
    case 'SagaEnded':
      return event.data.effectIds;
    case 'EffectCancelRequested':
    case 'EffectSucceeded':
    case 'EffectFailed':
    case 'EffectCancelled':
    case 'WatchEnded':
      return [event.data.effectId];
    case 'SagaInputReceived':
    case 'TimerSet':
    case 'TimerFired':
      return [];
  }
}

function evolve(row: EffectRow | null, stored: StoredEvent, event: SagaEvent, key: string): EffectRow | null {
  if (event.type === 'EffectRequested' && event.data.effectId === key) return requested(stored, event.data);
  if (row === null) return null;
  switch (event.type) {
    case 'EffectCancelRequested':
      return row.state === 'pending' ? { ...row, state: 'cancelling' } : row;
    case 'EffectSucceeded':
      return { ...row, state: 'succeeded', result: event.data.result };
    case 'EffectFailed':
      return { ...row, state: 'failed', watched: false };
    case 'EffectCancelled':
      return { ...row, state: 'cancelled', watched: false };
    case 'EffectRequested':
    case 'WatchEnded':
    case 'SagaEnded':
      return { ...row, watched: false };
    case 'SagaInputReceived':
    case 'TimerSet':
    case 'TimerFired':
      return row;
  }
}

function requested(stored: StoredEvent, data: Extract<SagaEvent, { type: 'EffectRequested' }>['data']): EffectRow {
  const { category, id } = splitStream(stored.stream);
  return {
    effect_id: data.effectId,
    stream: stored.stream,
    saga: category,
    saga_id: id,
    home: stored.metadata.instance ?? null,
    step: data.step,
    title: data.title,
    kind: data.kind,
    args: data.args,
    resource: data.resource,
    timeout_seconds: data.timeoutSeconds,
    retry: { ...data.retry } satisfies RetryRule,
    watched: data.watched === true,
    state: 'pending',
    result: null,
    correlation_id: stored.metadata.correlationId,
    requested_event_id: stored.id,
    requested_at: stored.recordedAt.toISOString(),
  };
}
