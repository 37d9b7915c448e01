import { RangeNotSatisfiable } from '#platform/http/edge.errors';
import type { ByteRange } from '#platform/filesystems/guest-files.port';

/**
 * The one range that a `Range` header asks for (RFC 9110, 14.2); null for none. Several ranges, other units and malformed
 * ones may be ignored, and are. Throws RangeNotSatisfiable.
 */
export function byteRange(header: string | undefined, sizeBytes: number): ByteRange | null {
  const match = /^bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))$/.exec(header ?? '');
  if (match === null) return null;
  const [, first, last = '', suffix] = match;
  const end = sizeBytes - 1;
  const range =
    first === undefined
      ? { start: Math.max(0, sizeBytes - Number(suffix)), end }
      : { start: Number(first), end: last === '' ? end : Math.min(Number(last), end) };
  if (range.start >= sizeBytes) throw new RangeNotSatisfiable(sizeBytes);
  return range.start > range.end ? null : range;
}
