import { applyDecorators, HttpCode, UseInterceptors } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiResponse } from '@nestjs/swagger';

import { type Access, DeclaresAccess, TakesRecentToken } from './access.js';
import type { AnswerClass } from './answer-fields.js';
import { type AnswerHeader, answerHeaders } from './answer-headers.js';
import { ConsistencyInterceptor } from './consistency.interceptor.js';
import { type Documented, documentedHeaders } from './headers.js';
import { IdempotencyInterceptor } from './idempotency.interceptor.js';
import { type JsonSchema, schemaRef } from './json-schema.js';
import { refusalDocument } from './problem.js';
import { HasTraits, TellsFastify } from './route.js';

/** One way to answer. */
export interface AnswerSays {
  readonly status: number;
  /** What the answer holds. */
  readonly about: string;
  /** The class of the JSON body, in brackets for a bare array of them. Left out when there is no body. */
  readonly type?: AnswerClass | readonly [AnswerClass];
  /** What a body that isn't JSON is. */
  readonly media?: string | readonly string[];
  /** What this answer has beside the headers of all answers. */
  readonly headers?: readonly AnswerHeader[];
}

export interface EndpointSays {
  readonly summary: string;
  readonly access: Access;
  /** True where a token that was good minutes ago is good enough while tokens can't be looked up. */
  readonly takesRecentToken?: boolean;
  /** What success looks like. The first of several is the usual one, whose status Nest sets. */
  readonly answers: AnswerSays | readonly [AnswerSays, ...AnswerSays[]];
  /** Codes of refusal by status, beside those that every route has. */
  readonly refusals?: Readonly<Record<number, string>>;
  /** True for routes that change something: they take an `Idempotency-Key`. */
  readonly mutates?: boolean;
  /** Projections whose rows the answer is made of: what `X-Min-Position` and the answers of commands wait for. */
  readonly reads?: readonly string[];
  /** Categories of the stream whose revision is the answer's `ETag`, and that `If-Match` speaks of. */
  readonly subject?: readonly string[];
  /** True when the route makes a new thing, of which nobody has a tag. */
  readonly creates?: boolean;
}

type Returned<Answer> = Answer extends { readonly type: readonly [AnswerClass<infer Item>] }
  ? Promise<readonly Item[]>
  : Answer extends { readonly type: AnswerClass<infer Body> }
    ? Promise<Body>
    : unknown;
type ReturnedBy<Says extends EndpointSays> = Returned<
  Says['answers'] extends readonly (infer Answer)[] ? Answer : Says['answers']
>;

/** Doesn't compile on a method that returns something else than the route says. */
type Declares<Says extends EndpointSays> = (
  target: object,
  key: string,
  method: { readonly value?: (...args: never[]) => ReturnedBy<Says> },
) => void;

/** Everything a route declares, in one place: who may call it, what it answers, why it refuses. */
export function Endpoint<const Says extends EndpointSays>(says: Says): Declares<Says> {
  const { summary, access, refusals = {}, mutates = false, reads = null, subject = [], creates = false } = says;
  const answers = isList(says.answers) ? says.answers : ([says.answers] as const);
  const statuses = answers.map(({ status }) => status);
  const decides = isDecision(answers, mutates);
  const headers = documentedHeaders({ mutates, decides, reads, subject, creates, statuses });
  const documented = [
    ...answers.map((answer) => [answer.status, answerDocument(answer, headers.answered)] as const),
    ...Object.entries(codesOf(access, [refusals, headers.refusals], mutates)).map(
      ([status, codes]) => [Number(status), refusalDocument(codes, noteOn(status, mutates))] as const,
    ),
  ];
  return applyDecorators(
    DeclaresAccess(access),
    TakesRecentToken(says.takesRecentToken ?? false),
    HasTraits({ reads, subject, creates }),
    // Balancers and agents of other generations may add to their addresses what they like.
    TellsFastify({ takesKey: mutates, isLenient: access === 'public' || access === 'agent' }),
    ...(decides ? [COMMAND] : []),
    HttpCode(answers[0].status),
    ApiOperation({ summary, description: access === 'public' ? 'Public.' : `Needs the role ${access}.` }),
    ...documented.map(([status, document]) => ApiResponse({ status, ...document })),
    ...(access === 'public' ? [] : [ApiBearerAuth()]),
    ...headers.taken.map((name) => ApiHeader({ name, required: false })),
  );
}

/** In this order: the first answer is remembered with all its headers. */
const COMMAND = UseInterceptors(IdempotencyInterceptor, ConsistencyInterceptor);

/** Whoever answers with a position has decided something. */
function isDecision(answers: readonly AnswerSays[], mutates: boolean): boolean {
  return mutates || answers.some(({ headers = [] }) => headers.includes('X-Event-Position'));
}

function isList(answers: EndpointSays['answers']): answers is readonly [AnswerSays, ...AnswerSays[]] {
  return Array.isArray(answers);
}

function answerDocument(answer: AnswerSays, answered: Documented['answered']): JsonSchema {
  const { about, type, media, headers = [] } = answer;
  return {
    description: about,
    headers: answerHeaders([...headers, ...answered.always], answered.sometimes),
    ...(type !== undefined && { content: { 'application/json': { schema: bodySchema(type) } } }),
    ...(media !== undefined && { content: Object.fromEntries([media].flat().map((one) => [one, BYTES])) }),
  };
}

/** So long a command is tried again where the log is away. */
function noteOn(status: string, mutates: boolean): string {
  return mutates && status === '503' ? '; of a log that is away a command hears after 14 to 30 seconds' : '';
}

const BYTES = { schema: { type: 'string', format: 'binary' } };

function bodySchema(type: AnswerClass | readonly [AnswerClass]): JsonSchema {
  return typeof type === 'function' ? schemaRef(type.name) : { type: 'array', items: schemaRef(type[0].name) };
}

/** Why any command may be refused. */
const COMMANDS = [
  [409, 'request-under-way'],
  [409, 'stream-deleted'],
  [422, 'idempotency-key-reused'],
  [422, 'too-large-to-record'],
] as const;

/** The codes of each status: what the route says, and what any route of its kind may answer. */
function codesOf(
  access: Access,
  refusals: readonly Readonly<Record<number, string>>[],
  mutates: boolean,
): Readonly<Record<string, readonly string[]>> {
  const common: readonly (readonly [number, string])[] = [
    [400, 'malformed-request'],
    ...(access === 'public' ? [] : [[401, 'unauthenticated'] as const, [403, 'role-does-not-suffice'] as const]),
    ...(mutates ? COMMANDS : []),
    [500, 'internal'],
    [503, 'event-store-away'],
    [503, 'database-away'],
  ];
  const codes: Record<string, string[]> = {};
  const said = refusals
    .flatMap((one) => Object.entries(one))
    .flatMap(([status, list]) => list.split(', ').map((code) => [Number(status), code] as const));
  for (const [status, code] of [...said, ...common]) {
    const known = (codes[String(status)] ??= []);
    if (!known.includes(code)) known.push(code);
  }
  return codes;
}
