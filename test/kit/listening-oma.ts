import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Something that an agent told or asked. */
export interface Told {
  readonly route: string;
  readonly token: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Stands where OMA would be: writes down what an agent says, and answers what the test wants. */
export class ListeningOma {
  readonly told: Told[] = [];
  /** Answers a route; 200 and `{}` unless told. */
  answer: (route: string) => { readonly status: number; readonly body: object } = () => ({ status: 200, body: {} });
  private readonly server = createServer((request, response) => {
    void this.take(request).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What was told with `word` in the route. */
  saying(word: string): readonly Told[] {
    return this.told.filter(({ route }) => route.includes(word));
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async take(request: IncomingMessage): Promise<{ readonly status: number; readonly body: object }> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const route = `${request.method ?? ''} ${decodeURIComponent(request.url ?? '')}`;
    const text = Buffer.concat(chunks).toString();
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    this.told.push({ route, token: request.headers.authorization ?? '', body });
    return this.answer(route);
  }
}
