import type { DomainEvent, EventMetadata, NewEvent, StoredEvent } from '#domain/kernel/event';
import type { Decision, EffectRequested, SagaEvent, SagaInput } from '#domain/kernel/saga';
import { idFor } from '#platform/ids/ids';

/** What stands in a saga's stream, seen as the machinery needs it: which effects, watches and timers are open. */
export interface SagaBook {
  readonly ended: boolean;
  /** step -> its request, for effects without an outcome. */
  readonly open: ReadonlyMap<string, EffectRequested['data']>;
  /** effectId of things that were started, must go on living and weren't ended on purpose. */
  readonly watched: ReadonlySet<string>;
  readonly timers: ReadonlySet<string>;
  readonly timersEverSet: number;
}

/** Reads the book of a saga from its own events. */
export function readBook(events: readonly DomainEvent[]): SagaBook {
  const open = new Map<string, EffectRequested['data']>();
  const watched = new Set<string>();
  const timers = new Set<string>();
  let timersEverSet = 0;
  let ended = false;
  for (const event of events as readonly SagaEvent[]) {
    switch (event.type) {
      case 'EffectRequested':
        open.set(event.data.step, event.data);
        for (const effectId of event.data.endsEffects) watched.delete(effectId);
        break;
      case 'EffectSucceeded':
        if (open.get(event.data.step)?.watched === true) watched.add(event.data.effectId);
        open.delete(event.data.step);
        break;
      case 'EffectFailed':
      case 'EffectCancelled':
        open.delete(event.data.step);
        break;
      case 'WatchEnded':
        watched.delete(event.data.effectId);
        break;
      case 'TimerSet':
        timers.add(event.data.timerId);
        timersEverSet += 1;
        break;
      case 'TimerFired':
        timers.delete(event.data.timerId);
        break;
      case 'SagaEnded':
        ended = true;
        break;
      case 'SagaInputReceived':
      case 'EffectCancelRequested':
        break;
    }
  }
  return { ended, open, watched, timers, timersEverSet };
}

/** Whether an input still has something to say to this saga; the machinery delivers at least once. */
export function isWanted(input: SagaInput, book: SagaBook): boolean {
  if (book.ended) return false;
  switch (input.type) {
    case 'SagaInputReceived':
      return true;
    case 'EffectSucceeded':
    case 'EffectFailed':
    case 'EffectCancelled':
      return book.open.get(input.data.step)?.effectId === input.data.effectId;
    case 'WatchEnded':
      return book.watched.has(input.data.effectId);
    case 'TimerFired':
      return book.timers.has(input.data.timerId);
  }
}

/** The id of an effect: the same saga and step have the same id for ever, so a repeat is recognised everywhere. */
export function effectIdOf(stream: string, step: string): string {
  return idFor('effect', stream, step);
}

/** Decisions as events of the saga's stream, in order. */
export function eventsOf(
  stream: string,
  decisions: readonly Decision[],
  book: SagaBook,
  metadata: EventMetadata,
): readonly NewEvent[] {
  let timers = book.timersEverSet;
  return decisions.map((decision): NewEvent => {
    switch (decision.do) {
      case 'effect': {
        const effectId = effectIdOf(stream, decision.effect.step);
        const endsEffects = (decision.effect.ends ?? []).map((step) => effectIdOf(stream, step));
        const data = { ...decision.effect, effectId, endsEffects };
        return { id: idFor(effectId, 'requested'), type: 'EffectRequested', data, metadata };
      }
      case 'cancelEffect': {
        const effectId = effectIdOf(stream, decision.step);
        const data = { effectId, step: decision.step };
        return { id: idFor(effectId, 'cancel'), type: 'EffectCancelRequested', data, metadata };
      }
      case 'timer': {
        timers += 1;
        const timerId = idFor('timer', stream, String(timers));
        const data = { timerId, step: decision.step, seconds: decision.seconds };
        return { id: idFor(timerId, 'set'), type: 'TimerSet', data, metadata };
      }
      case 'end': {
        const data = { outcome: decision.outcome, effectIds: [...book.watched], timerIds: [...book.timers] };
        return { id: idFor('saga-ended', stream), type: 'SagaEnded', data, metadata };
      }
    }
  });
}

/** The category of a stream name, and what follows it. */
export function splitStream(stream: string): { readonly category: string; readonly id: string } {
  const at = stream.indexOf('-');
  return { category: stream.slice(0, at), id: stream.slice(at + 1) };
}

/** All events of a stream, oldest first. */
export async function collect(events: AsyncIterable<StoredEvent>): Promise<StoredEvent[]> {
  const all: StoredEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}
