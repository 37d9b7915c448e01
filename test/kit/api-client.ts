import { ApiDocument } from './api-document.js';

/** One answer: its status, its JSON (null when it has none) and its headers. */
export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
  readonly headers: Headers;
}

export type Json = Record<string, unknown>;

/** OMA's API as a script would use it. It never throws because of a status, but because of any answer that the API
 * document doesn't describe. */
export class ApiClient {
  token = '';

  constructor(public url: string) {}

  async logIn(username: string, password: string): Promise<void> {
    const { body } = await this.post('/auth/login', { username, password });
    this.token = String(body['session_token']);
  }

  /** The same API for somebody else. */
  as(token: string): ApiClient {
    const other = new ApiClient(this.url);
    other.token = token;
    return other;
  }

  get<Body = Json>(path: string, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.send('GET', path, undefined, headers);
  }

  post<Body = Json>(path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.send('POST', path, typeof body === 'string' ? body : JSON.stringify(body), headers);
  }

  delete<Body = Json>(path: string, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return this.send('DELETE', path, undefined, headers);
  }

  /** The response as it begins, for answers that don't end by themselves. */
  open(path: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    return fetch(`${this.url}/api/v1${path}`, {
      headers: { ...this.auth(), ...headers },
      ...(signal !== undefined && { signal }),
    });
  }

  async download(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; bytes: Buffer; headers: Headers }> {
    const response = await fetch(`${this.url}/api/v1${path}`, { headers: { ...this.auth(), ...headers } });
    const bytes = Buffer.from(await response.arrayBuffer());
    check('GET', path, response, response.ok ? '' : bytes.toString());
    return { status: response.status, bytes, headers: response.headers };
  }

  private auth(): Record<string, string> {
    return this.token === '' ? {} : { authorization: `Bearer ${this.token}` };
  }

  private async send<Body>(
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
  ): Promise<Answer<Body>> {
    const response = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: { ...this.auth(), ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    check(method, path, response, text);
    const json = (text === '' ? null : JSON.parse(text)) as Body;
    return { status: response.status, body: json, headers: response.headers };
  }
}

function check(method: string, path: string, { status, headers }: Response, text: string): void {
  ApiDocument.ofUsers.check({ method, path: `/api/v1${path}`, status, headers, text });
}
