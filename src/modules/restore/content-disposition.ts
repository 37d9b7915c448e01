import { encodedPath } from './guest-path.js';

/** A name that is safe in a header, and the real one encoded beside it (RFC 6266, RFC 8187). */
export function contentDisposition(name: Buffer): string {
  const plain = name.toString('latin1').replaceAll(/[^A-Za-z0-9 ._-]/g, '_');
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodedPath(name).replaceAll('/', '%2F')}`;
}
