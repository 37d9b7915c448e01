import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the agent does with one request; it may be anything that a network lets through. */
export type Reply = (response: ServerResponse) => void;

export interface Asked {
  /** Method and path without `/api/v1`, as in `GET /health`. */
  readonly route: string;
  readonly body: unknown;
}

const CHUNK = Buffer.alloc(64 * 1024, ' ');

/** An agent that says what the test puts into its mouth; a route without a script answers 404. */
export class ScriptedVma {
  readonly asked: Asked[] = [];
  private readonly scripts = new Map<string, Reply[]>();

  private constructor(private readonly server: Server) {}

  static async listen(): Promise<ScriptedVma> {
    const server = createServer();
    const agent = new ScriptedVma(server);
    server.on('request', (request, response) => {
      agent.answer(request, response).catch(() => response.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    // Node loads what makes requests at the first one, which takes longer than an impatient client waits.
    await fetch('data:,');
    return agent;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** One reply after the other; the last one stays. */
  on(route: string, ...replies: readonly Reply[]): void {
    this.scripts.set(route, [...replies]);
  }

  times(route: string): number {
    return this.asked.filter((one) => one.route === route).length;
  }

  /** How many callers still hold a connection. */
  async connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.getConnections((error, count) => {
        if (error === null) resolve(count);
        else reject(error);
      });
    });
  }

  /** Ends at once, also for those who still wait for an answer. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const words = Buffer.concat(parts).toString();
    const route = `${request.method ?? ''} ${(request.url ?? '').replace(/^\/api\/v1/, '')}`;
    this.asked.push({ route, body: words === '' ? null : JSON.parse(words) });
    const script = this.scripts.get(route) ?? [];
    const reply = (script.length > 1 ? script.shift() : script[0]) ?? says(404, 'no such route');
    reply(response);
  }
}

export function json(value: unknown, status = 200): Reply {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };
}

export function says(status: number, words: string): Reply {
  return (response) => {
    response.writeHead(status, { 'content-type': 'text/plain' }).end(words);
  };
}

/** A web page where an interface should be. */
export const html: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>It works!</body></html>');
};

/** Takes the request and never answers. */
export const silence: Reply = () => undefined;

/** Begins to answer and never goes on. */
export const stuck: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).write('{"status":');
};

export const dropsConnection: Reply = (response) => response.destroy();

export function redirectsTo(location: string): Reply {
  return (response) => {
    response.writeHead(307, { location }).end();
  };
}

/** An answer that never ends, sent as fast as it is read. */
export const endless: Reply = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const pour = () => {
    if (response.destroyed) return;
    if (response.write(CHUNK)) setImmediate(pour);
    else response.once('drain', pour);
  };
  pour();
};
