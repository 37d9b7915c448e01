/** A small client of OMA's API, as a script would write it. */
export class Api {
  private token = '';

  constructor(readonly url: string) {}

  async signIn(username: string, password: string): Promise<void> {
    const answer = await this.post<{ session_token: string }>('/auth/login', { username, password });
    this.token = answer.session_token;
  }

  async get<Answer>(path: string): Promise<Answer> {
    return (await (await this.send('GET', path)).json()) as Answer;
  }

  async post<Answer>(path: string, body: object): Promise<Answer> {
    return (await (await this.send('POST', path, body)).json()) as Answer;
  }

  async delete(path: string): Promise<void> {
    await (await this.send('DELETE', path)).arrayBuffer();
  }

  /** The bytes of an answer as they come. */
  async stream(path: string): Promise<AsyncIterable<Uint8Array>> {
    const { body } = await this.send('GET', path);
    if (body === null) throw new Error(`GET ${path} answered without a body`);
    return body;
  }

  private async send(method: string, path: string, body?: object): Promise<Response> {
    const response = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: {
        ...(this.token !== '' && { authorization: `Bearer ${this.token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (response.ok) return response;
    const problem = (await response.json().catch(() => ({}))) as { detail?: string; code?: string; remedy?: string };
    const words = [problem.code, problem.detail, problem.remedy].filter((word) => word !== undefined).join('; ');
    throw new Error(`${method} ${path} answered ${response.status}: ${words}`);
  }
}
