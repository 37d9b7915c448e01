import type { NewEvent } from '#domain/kernel/event';
import type { Expected } from '#platform/event-store/event-store.port';
import { newId } from '#platform/ids/ids';

const EVENTS_PER_STREAM = 20;

/** One append as a writer sends it. */
export interface Append {
  readonly stream: string;
  readonly expected: Expected;
  readonly events: readonly [NewEvent];
}

/** What each writer appends, one after the other: streams of its own, `count` events in all. */
export function appendsOf(writers: number, count: number): readonly (readonly Append[])[] {
  const each = Math.ceil(count / writers);
  return Array.from({ length: writers }, () => {
    let stream = '';
    return Array.from({ length: each }, (_, index): Append => {
      const revision = index % EVENTS_PER_STREAM;
      if (revision === 0) stream = `bench-${newId()}`;
      return {
        stream,
        expected: revision === 0 ? 'no-stream' : BigInt(revision - 1),
        events: [reportOf(stream, index)],
      };
    });
  });
}

/** An event like those that a backup leaves. */
function reportOf(stream: string, number: number): NewEvent {
  return {
    id: newId(),
    type: 'DiskReported',
    data: {
      jobId: stream.slice(stream.indexOf('-') + 1),
      diskId: number % 4,
      deviceKey: 2000 + (number % 4),
      image: `ctx-${newId()}/disk-${number % 4}/${newId()}.qcow2`,
      changeId: `52 3c ec 11 9e 2c 4c 3d-87 4a c3 4e 85 f2 ea 95/${number}`,
      bytesCopied: number * 65_536,
      bytesToCopy: 1_073_741_824,
      dataBytes: 536_870_912,
      readAt: new Date().toISOString(),
    },
    metadata: {
      actor: { kind: 'user', id: newId() },
      correlationId: newId(),
      causationId: newId(),
      commandId: newId(),
      schemaVersion: 1,
    },
  };
}
