import type { OpenAPIObject } from '@nestjs/swagger';

import { answerSchema } from './answer-fields.js';
import { headerComponents } from './answer-headers.js';
import type { JsonSchema } from './json-schema.js';
import { refusalDocument } from './problem.js';
import { isRequestHeader, parameterComponents, requestHeaderRef } from './request-headers.js';

const REF = /"#\/components\/schemas\/([^"]+)"/g;
/** What any request with a body may be refused for, before its route is asked. */
const OF_BODIES = { '413': 'request-too-large', '415': 'unsupported-media-type' };
/** Refusals that most routes have stand in the document once. */
const SHARED = [
  'malformed-request',
  'unauthenticated',
  'role-does-not-suffice',
  'request-under-way',
  'idempotency-key-reused',
  'internal',
  ...Object.values(OF_BODIES),
];

type Responses = Record<string, { readonly description?: string } | JsonSchema>;
interface Operation {
  readonly responses: Responses;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}

/** The document with the schemas of all answers that its routes name, and with what is common to all routes. */
export function withAnswers(document: OpenAPIObject): OpenAPIObject {
  for (const methods of Object.values(document.paths)) {
    for (const [method, operation] of Object.entries(methods as Record<string, Operation>)) {
      share(operation.responses, method !== 'get');
      Object.assign(operation, { parameters: parametersOf(operation) });
    }
  }
  const responses = Object.fromEntries(SHARED.map((code) => [code, refusalDocument([code])]));
  const schemas = { ...document.components?.schemas, ...answerSchemasIn([document.paths, responses]) };
  const parameters = parameterComponents();
  const components = { ...document.components, schemas, responses, parameters, headers: headerComponents() };
  return { ...document, components: components as OpenAPIObject['components'] & object };
}

function parametersOf({ parameters = [] }: Operation): readonly object[] {
  return parameters.map((one) => (one.in === 'header' && isRequestHeader(one.name) ? requestHeaderRef(one.name) : one));
}

function share(responses: Responses, hasBody: boolean): void {
  for (const [status, { description }] of Object.entries(responses)) {
    if (SHARED.some((code) => code === description)) responses[status] = shared(String(description));
  }
  if (!hasBody) return;
  for (const [status, code] of Object.entries(OF_BODIES)) responses[status] = shared(code);
}

function shared(code: string): JsonSchema {
  return { $ref: `#/components/responses/${code}` };
}

function answerSchemasIn(part: unknown, found: Record<string, JsonSchema> = {}): Record<string, JsonSchema> {
  for (const [, name = ''] of JSON.stringify(part).matchAll(REF)) {
    const schema = name in found ? null : answerSchema(name);
    if (schema === null) continue;
    found[name] = schema;
    answerSchemasIn(schema, found);
  }
  return found;
}
