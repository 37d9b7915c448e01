import type { BinaryEventData } from '@eventstore/db-client';
import type { BatchAppendReq } from '@eventstore/db-client/generated/streams_pb.js';

import type { WireNewEvent } from './codec.js';

/**
 * An event for the client with its JSON in bytes. Of an object the client makes text, of the text base64, and decodes that
 * twice, byte by byte; bytes it sends as they are, but says that they are no JSON, which `asJson` sets right.
 */
export function inBytes({ id, type, data, metadata }: WireNewEvent): BinaryEventData {
  return { id, type, contentType: 'application/octet-stream', data, metadata };
}

/** The same message of the batch stream, whose events say that they are JSON. */
export function asJson(message: BatchAppendReq): BatchAppendReq {
  for (const event of message.getProposedMessagesList()) event.getMetadataMap().set('content-type', 'application/json');
  return message;
}
