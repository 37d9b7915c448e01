import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

import { rawQuery } from '#platform/http/raw-query';

const UNRESERVED = /[A-Za-z0-9/._~-]/;

/** The bytes of the query parameter `path`; the root when it is missing or empty. */
export const GuestPath = createParamDecorator((_: unknown, context: ExecutionContext): Buffer => {
  const path = rawQuery(context.switchToHttp().getRequest<FastifyRequest>(), 'path');
  return path === null || path.byteLength === 0 ? Buffer.from('/') : path;
});

/** A path's bytes as they go into a URL (RFC 3986); the way to name what isn't text. */
export function encodedPath(path: Buffer): string {
  return [...path]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return UNRESERVED.test(character) ? character : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
    })
    .join('');
}

/** A folder's path and a name in it. */
export function joined(folder: Buffer, name: Buffer): Buffer {
  const slash = Buffer.from('/');
  return folder.at(-1) === slash[0] ? Buffer.concat([folder, name]) : Buffer.concat([folder, slash, name]);
}

/** The last part of a path that says something. */
export function baseName(path: Buffer): Buffer {
  const parts = path
    .toString('latin1')
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  return Buffer.from(parts.at(-1) ?? '', 'latin1');
}
