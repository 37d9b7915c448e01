import type { JsonObject } from '#domain/kernel/event';
import type { EffectRequest } from '#domain/kernel/saga';

const SECONDS = 30;

/** A command to the domain as an effect: decided once, however often it is tried. */
export function commandEffect(
  step: string,
  title: string,
  category: string,
  id: string,
  command: JsonObject,
): EffectRequest {
  return {
    step,
    title,
    kind: 'command',
    args: { category, id, command },
    resource: `${category}:${id}`,
    timeoutSeconds: SECONDS,
    retry: { attempts: 1000, baseMs: 200, maxMs: 10_000 },
  };
}
