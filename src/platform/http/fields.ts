import { applyDecorators } from '@nestjs/common';
import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsISO8601,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  Min,
  registerDecorator,
  ValidateBy,
  ValidateNested,
} from 'class-validator';

import { isStorable } from './storable.js';

/** Says that a field may be left out, and what stands for it then. */
export interface Common {
  readonly about: string;
  readonly optional?: boolean;
  readonly example?: unknown;
}

const MAX_TEXT = 1024;
const MAX_LIST = 1000;
const MAX_TAGS = 64;
const MAX_TAG_CHARACTERS = 256;

/** Makes a decorator of what the API document says and of the rules that a value is checked by. */
export function field(common: Common, schema: ApiPropertyOptions, ...rules: PropertyDecorator[]): PropertyDecorator {
  const required = common.optional !== true;
  const documented = ApiProperty({
    ...schema,
    description: common.about,
    required,
    ...(common.example !== undefined && { example: common.example }),
  } as ApiPropertyOptions);
  return applyDecorators(documented, ...(required ? [] : [IsOptional()]), ...rules);
}

function storable(each = false): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isStorable',
      validator: {
        validate: (value) => typeof value === 'string' && isStorable(value),
        defaultMessage: () => 'must not contain NUL or half of a surrogate pair',
      },
    },
    { each },
  );
}

/** Text of a length between `min` (1) and `max` (1024) characters. */
export function Text(options: Common & { readonly min?: number; readonly max?: number }): PropertyDecorator {
  const { min = 1, max = MAX_TEXT } = options;
  return field(options, { type: 'string', minLength: min, maxLength: max }, IsString(), Length(min, max), storable());
}

/** A whole number; `inQuery` for query parameters, which arrive as text. */
export function Whole(
  options: Common & { readonly min: number; readonly max: number; readonly inQuery?: boolean },
): PropertyDecorator {
  const { min, max, inQuery = false } = options;
  const rules = [IsInt(), Min(min), Max(max), ...(inQuery ? [Transform(({ value }) => asNumber(value))] : [])];
  return field(options, { type: 'integer', minimum: min, maximum: max }, ...rules);
}

function asNumber(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
}

const UP_TO_A_MINUTE = /^([1-5]?\d|60)s$/;

/** A time of at most a minute in whole seconds, written like `30s`; arrives as a number. */
export function Seconds(options: Common): PropertyDecorator {
  const read = Transform(({ value }: { value: unknown }) => {
    const seconds = typeof value === 'string' ? UP_TO_A_MINUTE.exec(value)?.[1] : undefined;
    return seconds === undefined ? NaN : Number(seconds);
  });
  const schema = { type: 'string', pattern: UP_TO_A_MINUTE.source } as const;
  return field(options, schema, read, IsInt({ message: 'must be whole seconds like 30s, at most 60s' }));
}

export function Flag(options: Common & { readonly inQuery?: boolean }): PropertyDecorator {
  const read = Transform(({ value }: { value: unknown }) =>
    value === 'true' ? true : value === 'false' ? false : value,
  );
  return field(options, { type: 'boolean' }, IsBoolean(), ...(options.inQuery === true ? [read] : []));
}

/** One of a few; `offered` are those that callers are told of, where others pass on to be refused for a reason of their own. */
export function OneOf(
  options: Common & { readonly of: readonly string[]; readonly offered?: readonly string[] },
): PropertyDecorator {
  const { of, offered = of } = options;
  const message = `must be one of the following values: ${offered.join(', ')}`;
  return field(options, { type: 'string', enum: [...offered] }, IsIn([...of], { message }));
}

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** A moment as RFC 3339 says: of the many forms of ISO 8601 the one that tells the time zone. */
export function Moment(options: Common): PropertyDecorator {
  const message =
    'must be a moment like 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00 (with + as %2B in an address)';
  const rules = [Matches(MOMENT, { message }), IsISO8601({ strict: true }, { message })];
  return field(options, { type: 'string', format: 'date-time' }, ...rules);
}

export function TextList(options: Common & { readonly min?: number; readonly max?: number }): PropertyDecorator {
  const { min = 0, max = MAX_LIST } = options;
  const each = { each: true };
  return field(
    options,
    { type: 'array', items: { type: 'string' }, minItems: min, maxItems: max },
    IsArray(),
    ArrayMinSize(min),
    ArrayMaxSize(max),
    IsString(each),
    Length(1, MAX_TEXT, each),
    storable(true),
  );
}

/** Names with short texts. */
export function Tags(options: Common): PropertyDecorator {
  const schema = { type: 'object', additionalProperties: { type: 'string' } } as const;
  return field(options, schema, IsObject(), (target, key) => {
    registerDecorator({
      target: target.constructor,
      propertyName: String(key),
      validator: {
        validate: areTags,
        defaultMessage: () => `must have at most ${MAX_TAGS} texts of at most ${MAX_TAG_CHARACTERS} characters`,
      },
    });
  });
}

function areTags(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const entries = Object.entries(value);
  return (
    entries.length <= MAX_TAGS &&
    entries.every(
      ([name, text]) =>
        typeof text === 'string' &&
        Math.max(name.length, text.length) <= MAX_TAG_CHARACTERS &&
        isStorable(`${name} ${text}`),
    )
  );
}

/** A list of objects with fields of their own. */
export function NestedList(
  type: () => new () => object,
  options: Common & { readonly max: number },
): PropertyDecorator {
  const each = { each: true };
  const rules = [IsArray(), ArrayMaxSize(options.max), IsObject(each), ValidateNested(each), Type(type)];
  return field(options, { ...laterDocumented(type), isArray: true, maxItems: options.max }, ...rules);
}

/** An object with fields of its own. */
export function Nested(type: () => new () => object, options: Common): PropertyDecorator {
  return field(options, laterDocumented(type), IsObject(), ValidateNested(), Type(type));
}

/** Swagger tells a function that gives the class from the class itself by its name, which must be `type`. */
function laterDocumented(given: () => new () => object): { readonly type: () => new () => object } {
  return { type: () => given() };
}
