import type { OpenAPIObject } from '@nestjs/swagger';

import { answerSchema } from './answer-fields.js';
import type { JsonSchema } from './json-schema.js';
import { refusalDocument } from './problem.js';

const REF = /"#\/components\/schemas\/([^"]+)"/g;
/** What any request with a body may be refused for, before its route is asked. */
const OF_BODIES = { '413': ['request-too-large'], '415': ['unsupported-media-type'] };

/** The document with the schemas of all answers that its routes name, and with what is common to all routes. */
export function withAnswers(document: OpenAPIObject): OpenAPIObject {
  for (const methods of Object.values(document.paths)) {
    for (const method of ['post', 'put', 'patch', 'delete'] as const) {
      const responses = methods[method]?.responses;
      for (const [status, codes] of Object.entries(OF_BODIES)) {
        if (responses !== undefined) responses[status] = refusalDocument(codes) as never;
      }
    }
  }
  const schemas = { ...document.components?.schemas, ...answerSchemasIn(document) };
  return { ...document, components: { ...document.components, schemas } } as OpenAPIObject;
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
