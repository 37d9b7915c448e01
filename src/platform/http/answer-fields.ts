import { type JsonSchema, schemaRef } from './json-schema.js';

/** A class whose fields are declared with `Shown`. */
export type AnswerClass<Instance extends object = object> = abstract new () => Instance;

interface Options {
  /** Whether the field may be missing. */
  readonly optional?: boolean;
  readonly nullable?: boolean;
  readonly example?: unknown;
}

interface Field {
  readonly name: string;
  readonly schema: JsonSchema;
  readonly optional: boolean;
}

/** By prototype, so that a class has the fields of the one that it extends. */
const fieldsOf = new Map<object, Field[]>();
const classes = new Map<string, AnswerClass>();

type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : false) : false;
type Widened<Value> = Value extends string ? string : Value;
type Or<Plain, Given> = Plain | (Given extends { nullable: true } ? null : never);
type IsOptional<Target, Key extends keyof Target> = object extends Pick<Target, Key> ? true : false;
type Fits<Target, Key extends keyof Target, Plain, Given> = [
  true extends Same<Required<Target>[Key], Or<Plain, Given>> | Same<Required<Target>[Key], Or<Widened<Plain>, Given>>
    ? true
    : false,
  Same<IsOptional<Target, Key>, Given extends { optional: true } ? true : false>,
] extends [true, true]
  ? unknown
  : never;

/** Doesn't compile on a field that has another type than the schema says. */
type Declares<Plain, Given> = <Target extends object, Key extends keyof Target>(
  target: Target,
  key: Key & Fits<Target, Key, Plain, Given>,
) => void;

function shown<Plain, Given>(about: string, schema: JsonSchema, options: Options = {}): Declares<Plain, Given> {
  const { optional = false, nullable = false, example } = options;
  const described = {
    ...(nullable ? orNull(schema) : schema),
    description: about,
    ...(example !== undefined && { examples: [example] }),
  };
  return (target, key) => {
    const { name: owner } = target.constructor;
    if ((classes.get(owner) ?? target.constructor) !== target.constructor) {
      throw new Error(`two classes of answers are called ${owner}`);
    }
    classes.set(owner, target.constructor as unknown as AnswerClass);
    const fields = fieldsOf.get(target) ?? [];
    fieldsOf.set(target, [...fields, { name: String(key), schema: described, optional }]);
  };
}

function orNull(schema: JsonSchema): JsonSchema {
  const { type, enum: values, ...rest } = schema;
  if (typeof type !== 'string') return { anyOf: [schema, { type: 'null' }] };
  return { ...rest, type: [type, 'null'], ...(Array.isArray(values) && { enum: [...(values as unknown[]), null] }) };
}

/**
 * What a field of an answer is, in one line for schema and type: a field whose type is another than its decorator says
 * doesn't compile. Answers stay plain objects: nothing of this runs when one is given.
 */
export const Shown = {
  text: <const Given extends Options>(about: string, options?: Given): Declares<string, Given> =>
    shown(about, { type: 'string' }, options),

  whole: <const Given extends Options>(about: string, options?: Given): Declares<number, Given> =>
    shown(about, { type: 'integer' }, options),

  number: <const Given extends Options>(about: string, options?: Given): Declares<number, Given> =>
    shown(about, { type: 'number' }, options),

  flag: <const Given extends Options>(about: string, options?: Given): Declares<boolean, Given> =>
    shown(about, { type: 'boolean' }, options),

  /** A moment as RFC 3339 says. */
  moment: <const Given extends Options>(about: string, options?: Given): Declares<string, Given> =>
    shown(about, { type: 'string', format: 'date-time' }, options),

  /** One of a few texts; the field may also be of the type `string`. */
  oneOf: <const Value extends string, const Given extends Options>(
    values: readonly Value[],
    about: string,
    options?: Given,
  ): Declares<Value, Given> => shown(about, { type: 'string', enum: [...values] }, options),

  always: <const Value extends string | boolean, const Given extends Options>(
    value: Value,
    about: string,
    options?: Given,
  ): Declares<Value, Given> => shown(about, { type: typeof value, const: value }, options),

  /** An object with fields of its own. */
  nested: <Instance extends object, const Given extends Options>(
    type: AnswerClass<Instance>,
    about: string,
    options?: Given,
  ): Declares<Instance, Given> => shown(about, schemaRef(type.name), options),

  /** One of two kinds of object. */
  either: <One extends object, Other extends object, const Given extends Options>(
    types: readonly [AnswerClass<One>, AnswerClass<Other>],
    about: string,
    options?: Given,
  ): Declares<One | Other, Given> => shown(about, { anyOf: types.map(({ name }) => schemaRef(name)) }, options),

  list: <Instance extends object, const Given extends Options>(
    type: AnswerClass<Instance>,
    about: string,
    options?: Given,
  ): Declares<readonly Instance[], Given> => shown(about, { type: 'array', items: schemaRef(type.name) }, options),

  texts: <const Given extends Options>(about: string, options?: Given): Declares<readonly string[], Given> =>
    shown(about, { type: 'array', items: { type: 'string' } }, options),

  wholes: <const Given extends Options>(about: string, options?: Given): Declares<readonly number[], Given> =>
    shown(about, { type: 'array', items: { type: 'integer' } }, options),

  /** A list that older clients look for and that is always empty. */
  nothing: <const Given extends Options>(about: string, options?: Given): Declares<readonly never[], Given> =>
    shown(about, { type: 'array', maxItems: 0 }, options),

  /** Names with texts. */
  map: <const Given extends Options>(
    about: string,
    options?: Given,
  ): Declares<Readonly<Record<string, string>>, Given> =>
    shown(about, { type: 'object', additionalProperties: { type: 'string' } }, options),

  /** An object whose members are described elsewhere; `about` says where. */
  object: <const Given extends Options>(about: string, options?: Given): Declares<object, Given> =>
    shown(about, { type: 'object', additionalProperties: true }, options),
};

/** The closed schema of a class of answers; null when there is none of this name. */
export function answerSchema(name: string): JsonSchema | null {
  const type = classes.get(name);
  if (type === undefined) return null;
  const fields = inherited((type as unknown as { prototype: object }).prototype);
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(fields.map((field) => [field.name, field.schema])),
    required: fields.filter(({ optional }) => !optional).map((field) => field.name),
  };
}

function inherited(prototype: object | null): readonly Field[] {
  if (prototype === null) return [];
  return [...inherited(Object.getPrototypeOf(prototype) as object | null), ...(fieldsOf.get(prototype) ?? [])];
}
