import type { FastifyRequest } from 'fastify';

/**
 * A query parameter's percent-decoded bytes, or null when it isn't there. Names in a guest needn't be text, so the decoded
 * string that the framework offers is not enough. `+` is a space, as in forms, and
 * names may be percent-encoded, too: what is found is what the framework finds.
 */
export function rawQuery(request: FastifyRequest, name: string): Buffer | null {
  // To the router a number sign begins the query as well.
  const at = request.url.search(/[?#]/);
  const pairs = at === -1 ? [] : request.url.slice(at + 1).split('&');
  for (const pair of pairs) {
    const [key = ''] = pair.split('=', 1);
    if (decoded(key) === name) return Buffer.from(decoded(pair.slice(key.length + 1)), 'latin1');
  }
  return null;
}

/** A character for each byte. */
function decoded(text: string): string {
  return text
    .replaceAll('+', ' ')
    .replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
