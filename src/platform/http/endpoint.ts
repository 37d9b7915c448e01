import { applyDecorators, HttpCode } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiProperty, ApiResponse, getSchemaPath } from '@nestjs/swagger';

import { type Access, DeclaresAccess } from './access.js';
import { documentedHeaders } from './headers.js';
import { HasTraits } from './route.js';

export interface EndpointSays {
  readonly summary: string;
  readonly access: Access;
  /** What success looks like: its status and what the answer holds. */
  readonly answers: { readonly status: number; readonly about: string; readonly media?: string };
  /** Codes of refusal by status, beside those that every route has. */
  readonly refusals?: Readonly<Record<number, string>>;
  /** True for routes that change something: they take an `Idempotency-Key`. */
  readonly mutates?: boolean;
  /** Projections whose rows the answer is made of: what `X-Min-Position` and the answers of commands wait for. */
  readonly reads?: readonly string[];
  /** Categories of the stream whose revision is the answer's `ETag`, and that `If-Match` speaks of. */
  readonly subject?: readonly string[];
  /** True when the route makes that stream. */
  readonly creates?: boolean;
}

/** The shape of every error (RFC 9457), with what OMA adds: ids, candidates and field errors come beside these. */
export class Problem {
  @ApiProperty({ example: 'urn:problem:unknown-vm' })
  readonly type: string;

  @ApiProperty()
  readonly title: string;

  @ApiProperty({ type: 'integer' })
  readonly status: number;

  @ApiProperty({ description: 'what is in the way, for people' })
  readonly detail: string;

  @ApiProperty({ description: 'stable, for programs' })
  readonly code: string;

  @ApiProperty({ description: 'finds the request in the log and the audit trail' })
  readonly correlation_id: string;

  @ApiProperty({ required: false, description: 'what to do about it' })
  readonly remedy?: string;

  @ApiProperty({ description: 'the same as detail, for older clients' })
  readonly error: string;
}

const PROBLEM = { 'application/problem+json': { schema: { $ref: getSchemaPath(Problem) } } };

/** Everything a route declares, in one place: who may call it, what it answers, why it refuses. */
export function Endpoint(says: EndpointSays): MethodDecorator {
  const { summary, access, answers, refusals = {}, mutates = false, reads = null } = says;
  const { subject = [], creates = false } = says;
  const common: Record<number, string> = access === 'public' ? {} : { 401: 'unauthenticated' };
  if (access !== 'public' && access !== 'viewer') common[403] = 'role-does-not-suffice';
  const headers = documentedHeaders({ mutates, reads, subject, creates });
  const documented = Object.entries(together(common, refusals, headers.refusals)).map(([status, about]) =>
    ApiResponse({ status: Number(status), description: about, content: PROBLEM }),
  );
  const { status, about, media = 'application/json' } = answers;
  return applyDecorators(
    DeclaresAccess(access),
    HasTraits({ reads, subject, creates }),
    HttpCode(status),
    ApiOperation({ summary, description: access === 'public' ? 'Public.' : `Needs the role ${access}.` }),
    ApiResponse({ status, description: about, content: { [media]: {} }, headers: headers.answered }),
    ...documented,
    ...(access === 'public' ? [] : [ApiBearerAuth()]),
    ...headers.taken.map(({ name, about: description }) => ApiHeader({ name, required: false, description })),
  );
}

/** All codes of each status. */
function together(...all: readonly Readonly<Record<number, string>>[]): Record<string, string> {
  const codes: Record<string, string> = {};
  for (const [status, about] of all.flatMap((one) => Object.entries(one))) {
    codes[status] = codes[status] === undefined ? about : `${codes[status]}, ${about}`;
  }
  return codes;
}
