/** A schema as OpenAPI 3.1 has it (JSON Schema 2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Where the schema of an answer's class stands in the API document. */
export function schemaRef(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}
