import type { FastifyReply } from 'fastify';

/** Says that what was decided can't be read back yet. */
export function tellConsistency(reply: FastifyReply, pending: boolean): void {
  if (pending) void reply.header('x-consistency', 'pending');
}
