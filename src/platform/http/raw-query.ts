import type { FastifyRequest } from 'fastify';

/**
 * A query parameter's percent-decoded bytes, or null when it isn't there. Names in a guest needn't be text, so the decoded
 * string that the framework offers is not enough. `+` is a space, as in forms.
 */
export function rawQuery(request: FastifyRequest, name: string): Buffer | null {
  const at = request.url.indexOf('?');
  const pairs = at === -1 ? [] : request.url.slice(at + 1).split('&');
  const pair = pairs.find((candidate) => candidate.startsWith(`${name}=`));
  if (pair === undefined) return null;
  const bytes = pair
    .slice(name.length + 1)
    .replaceAll('+', ' ')
    .replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1');
}
