import { createRequire } from 'node:module';

import type * as GossipPb from '@eventstore/db-client/generated/gossip_pb.js';
import type * as ServerfeaturesPb from '@eventstore/db-client/generated/serverfeatures_pb.js';
import type * as SharedPb from '@eventstore/db-client/generated/shared_pb.js';
import type * as StatusPb from '@eventstore/db-client/generated/status_pb.js';
import type * as StreamsPb from '@eventstore/db-client/generated/streams_pb.js';
import type { ServiceDefinition } from '@grpc/grpc-js';

/** Names and messages of the server's protocol, taken from the installed client: nothing of it is written down here. */
const clientRequire = createRequire(createRequire(import.meta.url).resolve('@eventstore/db-client'));
const generated = (name: string): unknown => clientRequire(`../generated/${name}`);

export const streams = generated('streams_pb.js') as typeof StreamsPb;
export const shared = generated('shared_pb.js') as typeof SharedPb;
export const status = generated('status_pb.js') as typeof StatusPb;
export const gossip = generated('gossip_pb.js') as typeof GossipPb;
export const features = generated('serverfeatures_pb.js') as typeof ServerfeaturesPb;

export const services = {
  ...(generated('streams_grpc_pb.js') as { readonly StreamsService: ServiceDefinition }),
  ...(generated('gossip_grpc_pb.js') as { readonly GossipService: ServiceDefinition }),
  ...(generated('serverfeatures_grpc_pb.js') as { readonly ServerFeaturesService: ServiceDefinition }),
};

/** A message of any kind in an envelope that names it. */
export interface AnyMessage {
  pack(bytes: Uint8Array, name: string): void;
}

interface EmptyMessage {
  serializeBinary(): Uint8Array;
}

const google = (name: string) => clientRequire(`google-protobuf/google/protobuf/${name}_pb.js`) as object;
const { Any } = google('any') as { readonly Any: new () => AnyMessage };
const { Empty } = google('empty') as { readonly Empty: new () => EmptyMessage };

export function packed(name: string, message: { serializeBinary(): Uint8Array }): never {
  const any = new Any();
  any.pack(message.serializeBinary(), name);
  return any as never;
}

export function emptyMessage(): never {
  return new Empty() as never;
}
