import { type ArgumentMetadata, ValidationPipe } from '@nestjs/common';
import type { ValidationError } from 'class-validator';

import { type FieldError, MalformedRequest } from './edge.errors.js';
import { isStorable } from './storable.js';

type Class = NonNullable<ArgumentMetadata['metatype']>;

/** Checks bodies and queries against their request classes; unknown fields and wrong types are named, never dropped. */
export class RequestPipe extends ValidationPipe {
  /** What becomes of a query that asks for nothing in particular, by its class: always the same. */
  private readonly plain = new Map<Class, Promise<unknown>>();

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
    if (metadata.type === 'body' && (typeof value !== 'object' || value === null || Array.isArray(value))) {
      throw new MalformedRequest([{ field: '(body)', message: 'must be a JSON object' }]);
    }
    if (metadata.type === 'param' && typeof value === 'string' && !isStorable(value)) {
      throw new MalformedRequest([{ field: metadata.data ?? '(path)', message: 'must not contain NUL' }]);
    }
    if (metadata.type === 'query' && metadata.metatype !== undefined && isEmpty(value)) {
      return this.ofNothing(metadata.metatype, metadata);
    }
    return super.transform(value, metadata) as Promise<unknown>;
  }

  private ofNothing(type: Class, metadata: ArgumentMetadata): Promise<unknown> {
    const known = this.plain.get(type);
    if (known !== undefined) return known;
    const made = (super.transform({}, metadata) as Promise<unknown>).then((request) => Object.freeze(request));
    this.plain.set(type, made);
    made.catch(() => this.plain.delete(type));
    return made;
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function fieldErrors(error: ValidationError, above: string): FieldError[] {
  const field = above === '' ? error.property : `${above}.${error.property}`;
  const own = Object.entries(error.constraints ?? {}).map(([rule, message]) => ({
    field,
    message: rule === 'whitelistValidation' ? 'is not known here' : message.replace(`${error.property} `, ''),
  }));
  return [...own, ...(error.children ?? []).flatMap((child) => fieldErrors(child, field))];
}
