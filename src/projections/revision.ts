import type { StoredEvent } from '#domain/kernel/event';

/** Before the first event of the stream that a row is shown with the revision of. */
export const NO_REVISION = -1;

/** The revision of a row's own stream after one more event, which may be of another one. */
export function revisionAfter(before: number, event: StoredEvent, ...categories: readonly string[]): number {
  const isOwn = categories.some((category) => event.stream.startsWith(`${category}-`));
  return isOwn ? Number(event.revision) : before;
}
