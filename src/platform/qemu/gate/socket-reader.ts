import { once } from 'node:events';
import type { Socket } from 'node:net';

/**
 * Exactly so many bytes of a socket that doesn't flow; what came beyond stays in it. Rejects when the peer ends before or
 * the signal is aborted.
 */
export async function readExactly(socket: Socket, bytes: number, signal: AbortSignal): Promise<Buffer> {
  const parts: Buffer[] = [];
  let left = bytes;
  while (left > 0) {
    // Everything that is there is taken: a socket that holds something calls itself readable again and again.
    const part = socket.read(Math.min(left, socket.readableLength)) as Buffer | null;
    if (part !== null && part.length > 0) {
      parts.push(part);
      left -= part.length;
    } else {
      if (socket.readableEnded || socket.destroyed) throw new Error('the peer ended the connection');
      await readableOrEnded(socket, signal);
    }
  }
  return Buffer.concat(parts);
}

async function readableOrEnded(socket: Socket, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const either = { signal: AbortSignal.any([signal, stop.signal]) };
  try {
    const events = ['readable', 'end', 'close'].map((name) => once(socket, name, either));
    await Promise.race(events);
    events.forEach((event) => {
      event.catch(() => undefined);
    });
  } finally {
    stop.abort();
  }
}
