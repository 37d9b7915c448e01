import { Agent, request } from 'node:http';

/** Reads over connections that stay open, with as little of its own as can be. */
export class Reader {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 4 });

  private constructor(
    /** What all paths begin with. */
    private readonly base: string,
    private readonly token: string,
  ) {}

  static async signIn(url: string, password: string): Promise<Reader> {
    const answer = await fetch(`${url}/api/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username: 'admin', password }),
    });
    const { session_token } = (await answer.json()) as { session_token: string };
    return new Reader(`${url}/api/v1`, session_token);
  }

  /** Reads with the same token somewhere else. */
  at(base: string): Reader {
    return new Reader(base, this.token);
  }

  /** The parsed answer. Throws unless it is a good one. */
  get<Answer>(path: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asking = request(`${this.base}${path}`, {
        agent: this.agent,
        headers: { authorization: `Bearer ${this.token}` },
      });
      asking.on('error', reject);
      asking.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('error', reject);
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if (response.statusCode === 200) resolve(JSON.parse(text) as Answer);
          else reject(new Error(`GET ${path} answered ${String(response.statusCode)}: ${text}`));
        });
      });
      asking.end();
    });
  }

  close(): Promise<void> {
    this.agent.destroy();
    return Promise.resolve();
  }
}
