import type { EffectRequest } from '#domain/kernel/saga';
import { sequence, type Step } from '#domain/kernel/sequence';
import { newId } from '#platform/ids/ids';
import type { AnySaga } from '#platform/sagas/runtime';

/** An effect on a resource of its own that may be tried three times, soon. */
export function effect(kind: string, more: Partial<EffectRequest> = {}): EffectRequest {
  return {
    step: kind,
    title: kind,
    kind,
    args: {},
    resource: newId(),
    timeoutSeconds: 1000,
    retry: { attempts: 3, baseMs: 5, maxMs: 10 },
    ...more,
  };
}

/** Begins with TrialAsked in a stream `ask-…`, takes the steps for the id in its data, and stops with TrialStopped. */
export function trial(groups: (id: string) => readonly (readonly Step[])[]): AnySaga {
  return sequence<{ id: string }>({
    name: 'trial',
    version: 1,
    listensTo: ['TrialAsked', 'TrialStopped'],
    correlate: (event) => ({ id: event.stream.slice('ask-'.length), starts: event.type === 'TrialAsked' }),
    start: (_type, data) => ({ id: data['id'] as string }),
    stop: (type) => (type === 'TrialStopped' ? { code: 'stopped', message: 'stopped' } : null),
    groups: ({ id }) => groups(id),
    conclude: () => [],
  });
}
