import type { ServerWritableStream } from '@grpc/grpc-js';
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';

import type { Recorded } from './server-log.js';
import { shared, streams } from './wire.js';

/** What ends the wait for a slow reader. */
const SIGNS = ['drain', 'close', 'cancelled', 'error'] as const;

export type ReadCall = ServerWritableStream<ReadReq, ReadResp>;

export function eventMessage(record: Recorded): ReadResp {
  const recorded = new streams.ReadResp.ReadEvent.RecordedEvent();
  recorded.setId(new shared.UUID().setString(record.id));
  recorded.setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(record.stream)));
  recorded.setStreamRevision(String(record.revision));
  recorded.setCommitPosition(String(record.offset)).setPreparePosition(String(record.offset));
  recorded.setData(record.data).setCustomMetadata(record.metadata);
  recorded.getMetadataMap().set('type', record.type);
  recorded.getMetadataMap().set('created', String(record.createdTicks));
  recorded.getMetadataMap().set('content-type', record.isJson ? 'application/json' : 'application/octet-stream');
  const event = new streams.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(String(record.offset));
  return new streams.ReadResp().setEvent(event);
}

export function* messages(records: Iterable<Recorded>, count: bigint): Iterable<ReadResp> {
  let left = count;
  for (const record of records) {
    if (left <= 0n) return;
    left -= 1n;
    yield eventMessage(record);
  }
}

/** Waits when the other side doesn't take what was sent. */
export async function sendAll(call: ReadCall, responses: Iterable<ReadResp>): Promise<void> {
  for (const response of responses) {
    if (call.cancelled || call.destroyed) return;
    if (call.write(response)) continue;
    await new Promise<void>((resolve) => {
      const over = () => {
        for (const sign of SIGNS) call.off(sign, over);
        resolve();
      };
      for (const sign of SIGNS) call.on(sign, over);
    });
  }
}
