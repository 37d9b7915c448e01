import { readFileSync } from 'node:fs';

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** An answer as it came, and what it answers. */
export interface SeenAnswer {
  readonly method: string;
  /** With its query, as it was asked for. */
  readonly path: string;
  readonly status: number;
  readonly headers: Headers;
  /** Empty for answers that aren't JSON: their bytes are the test's own concern. */
  readonly text: string;
}

/** An answer is not what the API document says. No use in asking again: the test fails at once. */
export class AnswerNotAsDocumented extends Error {
  constructor(
    { method, path, status }: SeenAnswer,
    readonly why: string,
  ) {
    super(`${method} ${path} answered ${status}, and not as docs/openapi.json says: ${why}`);
    this.name = 'AnswerNotAsDocumented';
  }
}

type Header = { readonly required?: boolean } | Reference;
type Reference = { readonly $ref: string };
interface Documented {
  readonly headers?: Readonly<Record<string, Header>>;
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>;
}
type Operation = { readonly responses: Readonly<Record<string, Documented | Reference>> };
export type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, object>>>>;
};

/** What the transport adds, whatever is answered. */
const OF_THE_TRANSPORT = ['connection', 'content-length', 'content-type', 'date', 'keep-alive', 'transfer-encoding'];
const JSON_MEDIA = /[/+]json$/;

/** Compares answers with the API document: status, media type, headers and body. */
export class ApiDocument {
  private static committed: ApiDocument | undefined;
  private readonly compiled = new Map<object, ValidateFunction>();
  private readonly ajv = new Ajv2020({ allErrors: true, strictTypes: false });
  private readonly routes: readonly { readonly path: string; readonly pattern: RegExp; readonly fixed: number }[];

  /** The document that users get; test/architecture/routes.spec.ts sees to it that it is the one of the routes. */
  static get ofUsers(): ApiDocument {
    return (ApiDocument.committed ??= new ApiDocument(
      JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as Document,
    ));
  }

  constructor(private readonly document: Document) {
    addFormats.default(this.ajv);
    this.ajv.addVocabulary(['components']);
    this.routes = Object.keys(document.paths)
      .map((path) => ({
        path,
        pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
        fixed: path.split('/').filter((part) => !part.startsWith('{')).length,
      }))
      .toSorted((one, other) => other.fixed - one.fixed);
  }

  /** Throws AnswerNotAsDocumented. */
  check(answer: SeenAnswer): void {
    const why = this.faultOf(answer);
    if (why !== null) throw new AnswerNotAsDocumented(answer, why);
  }

  private faultOf(answer: SeenAnswer): string | null {
    const method = answer.method.toLowerCase();
    const [place = ''] = answer.path.split('?');
    const route = this.routes.find(({ path, pattern }) => pattern.test(place) && method in this.methods(path));
    if (route === undefined) return isUnknownRoute(answer) ? null : 'there is no such route';
    const documented = this.methods(route.path)[method]?.responses[String(answer.status)];
    if (documented === undefined) return `this status is none of ${method.toUpperCase()} ${route.path}`;
    const response = this.resolved(documented);
    const headers = Object.entries(response.headers ?? {}).map(([name, one]) => [name, this.resolved(one)] as const);
    return headerFault(answer.headers, headers) ?? this.bodyFault(answer, response);
  }

  private methods(path: string): Readonly<Record<string, Operation>> {
    return this.document.paths[path] ?? {};
  }

  private bodyFault(answer: SeenAnswer, { content = {} }: Documented): string | null {
    const media = mediaOf(answer.headers);
    const known = Object.keys(content);
    if (media === null) return known.length === 0 ? null : `it has no body, and ${known.join(' or ')} is documented`;
    if (!known.includes(media)) return `its media type is ${media}, and documented is ${known.join(' or ') || 'none'}`;
    if (!JSON_MEDIA.test(media)) return null;
    const schema = content[media]?.schema;
    if (schema === undefined) return 'its body has no schema';
    const validate = this.validatorOf(schema);
    if (validate(JSON.parse(answer.text))) return null;
    return (validate.errors ?? [])
      .map((error) => `${error.instancePath || '/'} ${error.message ?? ''} ${JSON.stringify(error.params)}`)
      .join('; ');
  }

  /** What a reference to one of the components stands for. */
  private resolved<Part extends object>(part: Part | Reference): Part {
    if (!('$ref' in part)) return part;
    const [kind = '', name = ''] = part.$ref.replace('#/components/', '').split('/');
    return this.document.components[kind]?.[name] as Part;
  }

  private validatorOf(schema: object): ValidateFunction {
    const known = this.compiled.get(schema) ?? this.ajv.compile({ ...schema, components: this.document.components });
    this.compiled.set(schema, known);
    return known;
  }
}

function headerFault(
  headers: Headers,
  said: readonly (readonly [string, { readonly required?: boolean }])[],
): string | null {
  const missing = said.filter(([name, { required = false }]) => required && !headers.has(name));
  if (missing.length > 0) return `it lacks ${missing.map(([name]) => name).join(', ')}`;
  const known = new Set([...OF_THE_TRANSPORT, ...said.map(([name]) => name.toLowerCase())]);
  const unknown = [...headers.keys()].filter((name) => !known.has(name));
  return unknown.length > 0 ? `${unknown.join(', ')} is not documented` : null;
}

function mediaOf(headers: Headers): string | null {
  const [media = ''] = (headers.get('content-type') ?? '').split(';');
  return media === '' ? null : media.trim();
}

/** What is no route is refused as such; the document can't list what there isn't. */
function isUnknownRoute({ status, headers, text }: SeenAnswer): boolean {
  if (status !== 404 || mediaOf(headers) !== 'application/problem+json') return false;
  return (JSON.parse(text) as { code?: unknown }).code === 'unknown-route';
}
