import type { FastifyReply, FastifyRequest } from 'fastify';

import { MalformedRequest } from './edge.errors.js';

const TAG = /^\s*(?:W\/)?"([\x21\x23-\x7e]*)"\s*$/;
const REVISION = /^(?:0|[1-9]\d{0,17})$/;
/** What was shown may be kept, and must be asked for again before it is used. */
const VALIDATED = 'private, no-cache';

/** What is shown of a thing, and at which revision its stream was then. */
export interface Shown<Body> {
  readonly body: Body;
  readonly revision: number;
}

/** The revision of the stream behind a thing, as an entity tag. */
export function etagOf(revision: bigint | number): string {
  return `W/"${revision}"`;
}

/**
 * Says at which revision the shown thing is; nothing while its stream is empty: what fills it is under way, and takes the thing
 * away from that revision. `whole` when nothing else is shown than what events of this stream tell: only then
 * does an equal tag mean an equal answer, and `If-None-Match` is answered with 304.
 */
export function tellRevision(reply: FastifyReply, revision: number, options: { readonly whole?: boolean } = {}): void {
  if (revision < 0) return;
  void reply.header('etag', etagOf(revision));
  if (options.whole === true) void reply.header('cache-control', VALIDATED);
}

/** The revisions that `If-Match` names; `any` for `*`, null without one. Throws MalformedRequest. */
export function matchedRevisions(request: FastifyRequest): readonly bigint[] | 'any' | null {
  const given = request.headers['if-match'];
  if (given === undefined) return null;
  if (given.trim() === '*') return 'any';
  return tagsOf(given, 'If-Match').flatMap((tag) => (REVISION.test(tag) ? [BigInt(tag)] : []));
}

/** Whether the caller has just what is about to be sent. */
export function isUnmodified(request: FastifyRequest, reply: FastifyReply): boolean {
  const given = request.headers['if-none-match'];
  const etag = reply.getHeader('etag');
  if (given === undefined || typeof etag !== 'string' || reply.statusCode !== 200) return false;
  if (reply.getHeader('cache-control') !== VALIDATED) return false;
  return given.split(',').some((one) => one.trim() === '*' || TAG.exec(one)?.[1] === TAG.exec(etag)?.[1]);
}

function tagsOf(header: string, name: string): readonly string[] {
  return header.split(',').map((one) => {
    const tag = TAG.exec(one)?.[1];
    if (tag === undefined)
      throw new MalformedRequest([{ field: name, message: 'must be * or entity tags like W/"3"' }]);
    return tag;
  });
}
