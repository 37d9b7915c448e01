import type { Metrics } from '#platform/metrics/metrics.port';

import type { EventStreams } from './event-streams.js';

/** Counts the readers of this process: those who are there, and those who went or were sent away. */
export function measureStreams(streams: EventStreams, metrics: Metrics): void {
  metrics.watch(
    'event-streams',
    { open: { name: 'oma_event_streams_open', help: 'Readers of the stream of events that are connected now' } },
    () => Promise.resolve({ open: [{ value: streams.readers }] }),
  );
  const closed = metrics.count({
    name: 'oma_event_streams_closed_total',
    help: 'Streams of events that ended: left, too-slow (closed, since its reader took nothing), signed-out, stopping, failed',
    labels: ['outcome'],
  });
  streams.onClosed((outcome) => {
    closed.add({ outcome });
  });
}
