import type { FastifyReply } from 'fastify';

/** Aborts when who asked is gone, or has the answer. */
export function goneOf(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  const { raw } = reply;
  if (raw.destroyed) gone.abort();
  else
    raw.once('close', () => {
      gone.abort();
    });
  return gone.signal;
}
