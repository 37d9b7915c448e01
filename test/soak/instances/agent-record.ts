import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const START = '/api/v1/backup/start';

/** One order to copy as the agent got it. */
export interface Order {
  readonly jobId: string;
  readonly atMs: number;
  /** Whether the agent began because of it. */
  readonly accepted: boolean;
}

/** Stands before the agent, passes everything on, and writes down each order to copy. */
export class AgentRecord {
  readonly orders: Order[] = [];
  private readonly server = createServer((request, response) => {
    // Who was killed in the middle of a question isn't answered.
    void this.pass(request, response).catch(() => response.destroy());
  });

  private constructor(private readonly agentUrl: string) {}

  static async before(agentUrl: string): Promise<AgentRecord> {
    const record = new AgentRecord(agentUrl);
    record.server.listen(0, '127.0.0.1');
    await once(record.server, 'listening');
    return record;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const atMs = Date.now();
    const answer = await fetch(`${this.agentUrl}${request.url ?? ''}`, {
      method: request.method ?? 'GET',
      headers: { 'content-type': 'application/json' },
      ...(body.length > 0 && { body }),
    });
    if (request.url === START) {
      const { job_id: jobId } = JSON.parse(body.toString()) as { job_id: string };
      this.orders.push({ jobId, atMs, accepted: answer.ok });
    }
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
    response.end(Buffer.from(await answer.arrayBuffer()));
  }
}
