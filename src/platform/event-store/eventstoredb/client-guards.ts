import type { BatchAppendReq } from '@eventstore/db-client/generated/streams_pb.js';

import { NoBatches } from './failures.js';
import { asJson } from './json-bytes.js';

/** The client's name for it; the append stream has the same, and is opened elsewhere. */
const SINGLE_APPEND = 'appendToStream';

/** A call of the client that stays open, as far as the guards look at it. */
interface OpenCall {
  listeners(event: 'data'): ((message: unknown) => void)[];
  removeAllListeners(event: 'data'): void;
  on(event: 'data', listener: (message: unknown) => void): void;
  write?: (message: BatchAppendReq) => boolean;
}

type Creator = (client: object) => OpenCall;

/** What the client's calls go over: one connection after the other, dialled when a call wants one. */
interface Channel {
  close(): void;
  getConnectivityState(dial: boolean): number;
  /** Calls back once, when the state is another one than that. Throws when the channel is closed. */
  watchConnectivityState(current: number, deadline: number, callback: (error?: Error) => void): void;
}

/** Members of the client that it doesn't show, by their names. */
interface Inner {
  GRPCStreamCreator: (kind: object, name: string, creator: Creator, cache?: object) => () => Promise<OpenCall>;
  handleError: (client: object, error: Error) => Promise<void>;
  getChannel: () => Promise<Channel>;
  execute: (kind: object, name: string, action: (wire: object) => Promise<unknown>) => Promise<unknown>;
}

/**
 * What the client must not do by itself. Three places in which it ends the process on an outage are made harmless:
 *
 * - An answer on the append stream that nobody waits for any more (a second answer, or one after all waiting were told of a
 *   broken connection) is taken apart without a look, and throws inside an event listener.
 * - Appends that wait for a full stream are rejected, when it breaks, in a promise that nobody can catch. A stream that never
 *   says that it is full lets none wait; what lies in it is bounded by the appends under way.
 * - Looking for a cluster's leader may fail while a broken connection is being handled, and nobody catches that either.
 *
 * And what goes over the append stream says that it is JSON, which it is. The call from before there was that stream, which the client
 * turns to where a server knows of no other, would store it as something else: it is refused with NoBatches.
 *
 * `onConnection` hears of every connection that is lost, and of every new one before anything is answered over it.
 *
 * Answers how to let go of the connection, which the client itself never does.
 */
export function guardClient(client: object, onCaught: (error: unknown) => void, onConnection: () => void): () => void {
  const inner = client as Inner;
  const { GRPCStreamCreator: createStream, handleError, getChannel, execute } = inner;
  let channel: Channel | undefined;
  inner.GRPCStreamCreator = (kind, name, creator, cache) =>
    createStream(kind, name, (wire) => guarded(creator(wire), onCaught), cache);
  inner.handleError = async (wire, error) => {
    await handleError(wire, error).catch(onCaught);
  };
  inner.getChannel = async () => {
    const opened = await getChannel();
    if (opened !== channel) tellConnections(opened, onConnection);
    channel = opened;
    return opened;
  };
  inner.execute = (kind, name, action) =>
    name === SINGLE_APPEND ? Promise.reject(new NoBatches()) : execute(kind, name, action);
  return () => channel?.close();
}

/** Until the channel is closed. */
function tellConnections(channel: Channel, onConnection: () => void): void {
  try {
    channel.watchConnectivityState(channel.getConnectivityState(false), Infinity, () => {
      onConnection();
      tellConnections(channel, onConnection);
    });
  } catch {
    // It is closed: whoever calls again does so over another one.
  }
}

function guarded(call: OpenCall, onCaught: (error: unknown) => void): OpenCall {
  const write = call.write?.bind(call);
  if (write === undefined) return call;
  call.write = (message) => {
    write(asJson(message));
    return true;
  };
  const listeners = call.listeners('data');
  call.removeAllListeners('data');
  for (const listener of listeners) {
    call.on('data', (message) => {
      try {
        listener.call(call, message);
      } catch (error) {
        onCaught(error);
      }
    });
  }
  return call;
}
