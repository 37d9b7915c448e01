import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

import { ACCESS } from '#platform/http/access';

import { openApiOf } from '../../src/app.js';
import { unconnectedApp } from '../../src/unconnected-app.js';

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly security?: unknown;
  readonly responses: Readonly<Record<string, unknown>>;
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

  it('declare their access, every one of them', () => {
    const controllers = [...app.get(ModulesContainer).values()].flatMap((module) => [...module.controllers.values()]);
    const silent = controllers.flatMap(({ metatype }) => {
      const prototype = (metatype as { prototype: Record<string, object> }).prototype;
      return new MetadataScanner()
        .getAllMethodNames(prototype)
        .filter((name) => Reflect.hasMetadata('path', prototype[name] ?? {}))
        .filter((name) => !Reflect.hasMetadata(ACCESS, prototype[name] ?? {}))
        .map((name) => `${metatype?.name ?? ''}.${name}`);
    });
    expect(operations.length).toBeGreaterThan(20);
    expect(silent).toEqual([]);
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
