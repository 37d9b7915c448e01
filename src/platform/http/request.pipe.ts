import { type ArgumentMetadata, ValidationPipe } from '@nestjs/common';
import type { ValidationError } from 'class-validator';

import { type FieldError, MalformedRequest } from './edge.errors.js';
import { isStorable } from './storable.js';

/** Of each class of queries; then it begins anew. */
const MOST_KEPT = 500;
const LONGEST_KEPT = 300;

type Class = NonNullable<ArgumentMetadata['metatype']>;

/** Checks bodies and queries against their request classes; unknown fields and wrong types are named, never dropped. */
export class RequestPipe extends ValidationPipe {
  /** What became of queries, by class and text: the same text becomes the same request. They are few, and asked for again and again. */
  private readonly known = new Map<Class, Map<string, Promise<unknown>>>();

  constructor() {
    super({
      whitelist: true,
      forbidNonWhitelisted: true,
      transform: true,
      forbidUnknownValues: true,
      stopAtFirstError: true,
      exceptionFactory: (errors) => new MalformedRequest(errors.flatMap((error) => fieldErrors(error, ''))),
    });
  }

  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    const { type, metatype } = metadata;
    if (type === 'body') requireObject(value);
    if (type === 'body' || type === 'query') refuseSilentNames(value);
    if (type === 'param') requireStorable(value, metadata.data ?? '(path)');
    return type === 'query' && metatype !== undefined
      ? this.query(value, metadata, metatype)
      : (super.transform(type === 'body' ? withoutNulls(value) : value, metadata) as Promise<unknown>);
  }

  private query(value: unknown, metadata: ArgumentMetadata, type: Class): Promise<unknown> {
    const text = JSON.stringify(value ?? {});
    if (text.length > LONGEST_KEPT) return this.checked(value, metadata);
    const known = this.of(type);
    const request = known.get(text) ?? this.checked(value, metadata);
    known.set(text, request);
    request.catch(() => known.delete(text));
    return request;
  }

  private of(type: Class): Map<string, Promise<unknown>> {
    const known = this.known.get(type);
    if (known !== undefined && known.size < MOST_KEPT) return known;
    const fresh = new Map<string, Promise<unknown>>();
    this.known.set(type, fresh);
    return fresh;
  }

  /** Nobody may change what others are given too. */
  private async checked(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    return Object.freeze(await (super.transform(value, metadata) as Promise<unknown>));
  }
}

/** Many clients write null for what they leave out; to all that comes after, left out is the one way to say nothing. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const given = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(given.map(([name, member]) => [name, withoutNulls(member)]));
}

function requireObject(body: unknown): void {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return;
  throw new MalformedRequest([{ field: '(body)', message: 'must be a JSON object' }]);
}

/** The transformer leaves these out without a word, before anybody could say that they aren't known. */
function refuseSilentNames(value: unknown): void {
  const found = ['__proto__', 'constructor'].filter((name) => Object.hasOwn(Object(value) as object, name));
  if (found.length > 0) throw new MalformedRequest(found.map((field) => ({ field, message: 'is not known here' })));
}

function requireStorable(value: unknown, field: string): void {
  if (typeof value !== 'string' || isStorable(value)) return;
  throw new MalformedRequest([{ field, message: 'must not contain NUL' }]);
}

function fieldErrors(error: ValidationError, above: string): FieldError[] {
  const field = above === '' ? error.property : `${above}.${error.property}`;
  const own = Object.entries(error.constraints ?? {}).map(([rule, message]) => ({
    field,
    message: rule === 'whitelistValidation' ? 'is not known here' : wordsOf(error, message),
  }));
  return [...own, ...(error.children ?? []).flatMap((child) => fieldErrors(child, field))];
}

function wordsOf({ property, value }: ValidationError, message: string): string {
  const named = `${property} `;
  const words = message.startsWith(named) ? message.slice(named.length) : message;
  return value === undefined ? `is missing: ${words}` : words;
}
