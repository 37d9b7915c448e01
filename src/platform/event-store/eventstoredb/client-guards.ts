/** A call of the client that stays open, as far as the guards look at it. */
interface OpenCall {
  listeners(event: 'data'): ((message: unknown) => void)[];
  removeAllListeners(event: 'data'): void;
  on(event: 'data', listener: (message: unknown) => void): void;
  write?: (message: unknown) => boolean;
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
}

/**
 * Three places in which the client ends the process on an outage, made harmless:
 *
 * - An answer on the append stream that nobody waits for any more (a second answer, or one after all waiting were told of a
 *   broken connection) is taken apart without a look, and throws inside an event listener.
 * - Appends that wait for a full stream are rejected, when it breaks, in a promise that nobody can catch. A stream that never
 *   says that it is full lets none wait; what lies in it is bounded by the appends under way.
 * - Looking for a cluster's leader may fail while a broken connection is being handled, and nobody catches that either.
 *
 * `onConnection` hears of every connection that is lost, and of every new one before anything is answered over it.
 *
 * Answers how to let go of the connection, which the client itself never does.
 */
export function guardAgainstEndingTheProcess(
  client: object,
  onCaught: (error: unknown) => void,
  onConnection: () => void,
): () => void {
  const inner = client as Inner;
  const { GRPCStreamCreator: createStream, handleError, getChannel } = inner;
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
    write(message);
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
