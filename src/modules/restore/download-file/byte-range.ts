import { RangeNotSatisfiable } from '#platform/http/edge.errors';
import type { ByteRange } from '#platform/filesystems/guest-files.port';

/**
 * The one range that a `Range` header asks for (RFC 9110, 14.2); null for none. Several ranges, other units and malformed
 * ones may be ignored, and are. Throws RangeNotSatisfiable.
 */
export function byteRange(header: string | undefined, sizeBytes: number): ByteRange | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  const [, first = '', last = ''] = match ?? [];
  if (match === null || (first === '' && last === '')) return null;
  const range =
    first === ''
      ? { start: Math.max(0, sizeBytes - Number(last)), end: sizeBytes - 1 }
      : { start: Number(first), end: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) };
  if (range.start >= sizeBytes || (first === '' && Number(last) === 0)) throw new RangeNotSatisfiable(sizeBytes);
  return range.start > range.end ? null : range;
}
