import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

import { newId } from '#platform/ids/ids';

import { type Problem, problemDocument } from './problem.filter.js';

/** What Node's parser can't make a request of, by its code. */
const KNOWN: Readonly<Record<string, Problem>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: 'headers-too-large',
    detail: 'address and headers together are too large',
    remedy: 'send at most 16 KiB of them',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    code: 'request-too-slow',
    detail: 'the request did not come in time',
    remedy: 'send it whole within 30 seconds',
  },
};
const NO_HTTP: Problem = {
  status: 400,
  code: 'malformed-request',
  detail: 'this is no HTTP request',
  remedy: 'look at what sends it, and at what lies in between',
};

/** Answers what never became a request: no hook and no filter sees it. */
export function refuseUnreadable(error: Error & { readonly code?: string }, socket: Socket): void {
  if (socket.writable) socket.write(answerTo(KNOWN[error.code ?? ''] ?? NO_HTTP));
  socket.destroy(error);
}

function answerTo(problem: Problem): string {
  const id = newId();
  const body = JSON.stringify(problemDocument(problem, id));
  return [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-correlation-id: ${id}`,
    'cache-control: no-store',
    'connection: close',
    '',
    body,
  ].join('\r\n');
}
