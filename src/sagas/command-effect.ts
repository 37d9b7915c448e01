import type { JsonObject } from '#domain/kernel/event';
import type { EffectRequest } from '#domain/kernel/saga';

const SECONDS = 30;

/**
 * A command to the domain as an effect: decided once, however often it is tried. Its result is the data of the event named by
 * `tells`, or nothing.
 */
export function commandEffect(
  step: string,
  title: string,
  category: string,
  id: string,
  command: JsonObject,
  tells: string | null = null,
): EffectRequest {
  return {
    step,
    title,
    kind: 'command',
    args: { category, id, command, ...(tells !== null && { tells }) },
    resource: `${category}:${id}`,
    timeoutSeconds: SECONDS,
    retry: { attempts: 1000, baseMs: 200, maxMs: 10_000 },
  };
}
