import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RequestMethod } from '@nestjs/common';
import { INTERCEPTORS_METADATA } from '@nestjs/common/constants';
import { ApplicationConfig, MetadataScanner, ModulesContainer } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

import { ACCESS, RECENT_TOKEN } from '#platform/http/access';
import { ConsistencyInterceptor } from '#platform/http/consistency.interceptor';
import { IdempotencyInterceptor } from '#platform/http/idempotency.interceptor';
import { ROUTE, type RouteTraits } from '#platform/http/route';

import { openApiOf } from '../../src/app.js';
import { deciders, projections } from '../../src/catalogue.js';
import { unconnectedApp } from '../../src/unconnected-app.js';

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly security?: unknown;
  readonly parameters?: readonly {
    readonly $ref?: string;
    readonly name?: string;
    readonly schema?: { readonly pattern?: string };
  }[];
  readonly responses: Readonly<Record<string, Answer>>;
}

interface Answer {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly maxItems?: number;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

const WITHOUT_BODY = ['204', '304'];

/** Where a schema leaves open what stands there. */
function gapsOf(schema: Schema | undefined, place: string): readonly string[] {
  if (schema === undefined) return [`${place}: no schema`];
  const several = schema.anyOf ?? schema.allOf?.slice(0, 1);
  if (several !== undefined) return several.flatMap((one) => gapsOf(one, place));
  if (schema.$ref !== undefined) return [];
  if (schema.type === undefined) return [`${place}: any type`];
  if (schema.type === 'array' && schema.maxItems !== 0) return gapsOf(schema.items, `${place}[]`);
  return [];
}

/** The only doors without a token. */
const PUBLIC = ['POST /api/v1/auth/login', 'GET /api/v1/health', 'GET /api/v1/ready', 'GET /api/v1/health/ready'];

describe('the routes', () => {
  let app: NestFastifyApplication;
  let operations: { readonly name: string; readonly operation: Operation }[];

  beforeAll(async () => {
    app = await unconnectedApp();
    operations = Object.entries(openApiOf(app).paths).flatMap(([path, methods]) =>
      Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`,
        operation,
      })),
    );
  });

  afterAll(async () => {
    await app.close();
  });

  const handlers = () =>
    [...app.get(ModulesContainer).values()]
      .flatMap((module) => [...module.controllers.values()])
      .flatMap(({ metatype }) => {
        const prototype = (metatype as { prototype: Record<string, object> }).prototype;
        return new MetadataScanner()
          .getAllMethodNames(prototype)
          .filter((name) => Reflect.hasMetadata('path', prototype[name] ?? {}))
          .map((name) => ({ name: `${metatype?.name ?? ''}.${name}`, handler: prototype[name] ?? {} }));
      });

  it('declare their access, every one of them', () => {
    const silent = handlers().filter(({ handler }) => !Reflect.hasMetadata(ACCESS, handler));
    expect(operations.length).toBeGreaterThan(20);
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('let a token that was good a while ago suffice for the numbers alone', () => {
    const lenient = handlers().filter(({ handler }) => Reflect.getMetadata(RECENT_TOKEN, handler) === true);
    expect(lenient.map(({ name }) => name)).toEqual(['OperationsController.metrics']);
  });

  it('say which projections their answers are made of, so that read-your-writes can wait for them', () => {
    const known = projections.map(({ name }) => name);
    for (const { name, handler } of handlers()) {
      const traits = Reflect.getMetadata(ROUTE, handler) as RouteTraits | undefined;
      expect({ name, reads: traits?.reads }).toEqual({ name, reads: expect.any(Array) });
      expect({ name, unknown: traits?.reads?.filter((one) => !known.includes(one)) }).toEqual({ name, unknown: [] });
      expect({ name, unknown: traits?.subject.filter((one) => !(one in deciders)) }).toEqual({ name, unknown: [] });
    }
  });

  it('answer with a position where they change something, and take X-Min-Position where they show rows', () => {
    for (const { name, handler } of handlers()) {
      const traits = Reflect.getMetadata(ROUTE, handler) as RouteTraits;
      const parameters = (Reflect.getMetadata('swagger/apiParameters', handler) ?? []) as { name: string }[];
      const taken = parameters.map((parameter) => parameter.name);
      expect({ name, taken: taken.includes('X-Min-Position') }).toEqual({
        name,
        taken: (traits.reads ?? []).length > 0,
      });
      if (!taken.includes('Idempotency-Key')) continue;
      expect(Reflect.getMetadata('method', handler)).not.toBe(RequestMethod.GET);
      const responses = Reflect.getMetadata('swagger/apiResponse', handler) as Record<string, { headers?: object }>;
      const success = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1];
      expect({ name, headers: Object.keys(success?.headers ?? {}) }).toEqual({
        name,
        headers: expect.arrayContaining(['X-Event-Position', 'X-Consistency']),
      });
    }
  });

  it('keep their answer and tell its position where they change something, and there alone', () => {
    for (const { name, handler } of handlers()) {
      const reads = Reflect.getMetadata('method', handler) === RequestMethod.GET;
      const around = (Reflect.getMetadata(INTERCEPTORS_METADATA, handler) ?? []) as unknown[];
      expect({ name, around }).toEqual({ name, around: reads ? [] : [IdempotencyInterceptor, ConsistencyInterceptor] });
    }
    const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [...module.controllers.values()]);
    const around = controllers.filter(({ metatype }) => Reflect.hasMetadata(INTERCEPTORS_METADATA, metatype ?? {}));
    expect(around.map(({ name }) => String(name))).toEqual([]);
    const everywhere = app.get(ApplicationConfig);
    expect([...everywhere.getGlobalInterceptors(), ...everywhere.getGlobalRequestInterceptors()]).toEqual([]);
  });

  it('are closed without a token, but for login and health', () => {
    const open = operations.filter(({ operation }) => operation.security === undefined).map(({ name }) => name);
    expect(open.sort()).toEqual([...PUBLIC].sort());
  });

  it('say what they are for and what they answer', () => {
    for (const { name, operation } of operations) {
      expect({ name, summary: operation.summary }).toEqual({ name, summary: expect.stringMatching(/\S{2}/) });
      expect(Object.keys(operation.responses).some((status) => status.startsWith('2'))).toBe(true);
    }
  });

  it('describe every answer that has a body, closed and without a gap', () => {
    const { components } = openApiOf(app);
    const silent = operations.flatMap(({ name, operation }) =>
      Object.entries(operation.responses)
        .filter(([status, { $ref }]) => !WITHOUT_BODY.includes(status) && $ref === undefined)
        .flatMap(([status, { content = {} }]) => {
          const media = Object.entries(content);
          if (media.length === 0) return [`${name} ${status} has no body`];
          return media.flatMap(([, { schema }]) => gapsOf(schema, `${name} ${status}`));
        }),
    );
    const schemas = Object.entries((components?.schemas ?? {}) as Record<string, Schema>);
    const answers = schemas.filter(([name]) => !name.endsWith('Request'));
    const open = answers.flatMap(([name, schema]) => [
      ...(schema.additionalProperties === false ? [] : [`${name} is open`]),
      ...Object.entries(schema.properties ?? {}).flatMap(([field, property]) => [
        ...(typeof property.description === 'string' && property.description !== ''
          ? []
          : [`${name}.${field}: no word`]),
        ...gapsOf(property, `${name}.${field}`),
      ]),
    ]);
    expect(answers.length).toBeGreaterThan(20);
    expect([...silent, ...open]).toEqual([]);
  });

  it('name only schemas that are there', () => {
    const document = openApiOf(app);
    const named = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]*)"/g)].map(
      ([, name = '']) => name,
    );
    const known = Object.keys(document.components?.schemas ?? {});
    expect(named.length).toBeGreaterThan(20);
    expect([...new Set(named)].filter((name) => !known.includes(name))).toEqual([]);
  });

  it('say which headers they read, and what those may hold', () => {
    const { components } = openApiOf(app);
    const parameters = components?.parameters as Record<string, { schema: { pattern?: string; maxLength?: number } }>;
    const takenBy = (wanted: string) =>
      operations
        .filter(({ name }) => name === wanted)
        .flatMap(({ operation }) => operation.parameters ?? [])
        .flatMap(({ $ref }) => ($ref === undefined ? [] : [$ref.replace('#/components/parameters/', '')]));
    expect(takenBy('GET /api/v1/jobs')).toEqual(['X-Correlation-Id', 'X-Min-Position']);
    expect(takenBy('POST /api/v1/jobs/{job_id}/cancel').sort()).toEqual(
      ['Idempotency-Key', 'If-Match', 'X-Correlation-Id', 'X-Min-Position', 'X-Reason'].sort(),
    );
    expect(takenBy('GET /api/v1/vm-contexts/by-id/{context_id}')).toContain('If-None-Match');
    expect(takenBy('GET /api/v1/restore/{mount_id}/download')).toContain('Range');
    expect(parameters['X-Reason']?.schema.maxLength).toBe(500);
    const fits = (name: string, value: string) => new RegExp(parameters[name]?.schema.pattern ?? 'missing').test(value);
    for (const key of ['a', 'order-7:retry.1', 'x'.repeat(128)]) expect(fits('Idempotency-Key', key)).toBe(true);
    for (const key of ['', 'two words', 'ü', 'x'.repeat(129)]) expect(fits('Idempotency-Key', key)).toBe(false);
    for (const tag of ['*', 'W/"3"', '"3"', 'W/"3", W/"4"']) expect(fits('If-Match', tag)).toBe(true);
    for (const tag of ['3', 'W/3', '"3" "4"', '']) expect(fits('If-Match', tag)).toBe(false);
  });

  it('promise no form of token, and no longer wait than there is', () => {
    const { components, paths } = openApiOf(app);
    expect(components?.securitySchemes?.['bearer']).toMatchObject({ type: 'http', scheme: 'bearer' });
    expect(components?.securitySchemes?.['bearer']).not.toHaveProperty('bearerFormat');
    const { parameters = [] } = paths['/api/v1/jobs/{job_id}']?.get as Operation;
    const pattern = new RegExp(String(parameters.find(({ name }) => name === 'wait')?.schema?.pattern));
    for (const wait of ['0s', '7s', '59s', '60s'])
      expect({ wait, fits: pattern.test(wait) }).toEqual({ wait, fits: true });
    for (const wait of ['61s', '100s', '99999s', '30', 's'])
      expect({ wait, fits: pattern.test(wait) }).toEqual({ wait, fits: false });
  });

  it('have a parameter document for each placeholder', () => {
    for (const [path, methods] of Object.entries(openApiOf(app).paths)) {
      const placeholders = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const operation of Object.values(methods) as { parameters?: { name: string; in: string }[] }[]) {
        const documented = (operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
        expect(documented.sort()).toEqual(placeholders.sort());
      }
    }
  });

  it('are the ones of the committed API document', () => {
    const committed = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as unknown;
    expect(JSON.parse(JSON.stringify(openApiOf(app)))).toEqual(committed);
  });
});
