import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Agent, type AgentKind } from './agent.js';
import type { RunContacts } from './backup-run.js';
import { Misbehaviour, misbehaviourSettings } from './misbehaviour.js';
import { nonsense } from './nonsense.js';
import { Refusal } from './refusal.js';
import { understood } from './understood.js';
import type { Vcenter } from './vcenter.js';

const MAX_BODY_BYTES = 1024 * 1024;
const PROGRESS = /^GET \/api\/v1\/progress\/([^/]+)$/;
const HASHES = /^GET \/api\/v1\/backup\/([^/]+)\/hashes\/([^/]+)$/;
/** What an agent of old has never heard of. */
const MODERN = /^POST \/api\/v1\/backup\/(stop|preflight)$|\/hashes\//;

/** The agent's HTTP interface on the loopback, with the lab's own door (`/lab/…`) beside it. */
export class AgentServer {
  readonly misbehaviour = new Misbehaviour((jobs) => {
    if (jobs === 'forget jobs') void this.agent.forgetAll();
    this.server.closeAllConnections();
  });
  private readonly agent: Agent;
  private readonly server: Server;

  /**
   * @param facts answers what `GET /lab/facts` tells beside the address; no secrets.
   * @param door answers what else is asked below `/lab/`.
   */
  constructor(
    kind: AgentKind,
    vcenter: Vcenter,
    contactsOf: (misbehaviour: Misbehaviour) => RunContacts,
    private readonly facts: () => object,
    private readonly door: (route: string, body: unknown) => Promise<object>,
  ) {
    this.agent = new Agent(kind, vcenter, this.misbehaviour, contactsOf(this.misbehaviour));
    this.server = createServer((request, response) => void this.serve(request, response));
  }

  /** Answers the address it serves at; port 0 means any free one. */
  async listen(port: number): Promise<string> {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    return this.url;
  }

  private get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
    await this.agent.forgetAll();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const ofLab = path.startsWith('/lab/');
    try {
      const body = await readBody(request);
      if (!ofLab) await this.misbehaviour.delayAnswer();
      if (!ofLab && this.misbehaviour.isGone) {
        request.socket.destroy();
        return;
      }
      const route = `${request.method ?? ''} ${path}`;
      if (ofLab) sendJson(response, await this.answerLab(route, body));
      else this.sendAnswer(response, await this.answer(route, body));
    } catch (error) {
      // Anything else is the agent's own trouble, or a caller that left in the middle of its question.
      const refusal = error instanceof Refusal ? error : new Refusal(500, String(error));
      response.writeHead(refusal.status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${refusal.message}\n`);
    }
  }

  private answer(route: string, body: unknown): object | string | Promise<object> {
    if (this.agent.kind === 'legacy' && MODERN.test(route)) throw new Refusal(404, '404 page not found');
    const [, job] = PROGRESS.exec(route) ?? [];
    if (job !== undefined) return this.agent.progress(decoded(job));
    const [, hashedJob, diskKey = ''] = HASHES.exec(route) ?? [];
    if (hashedJob !== undefined) return this.agent.hashes(decoded(hashedJob), decoded(diskKey));
    switch (route) {
      case 'GET /api/v1/health':
        return this.agent.health();
      case 'POST /api/v1/discover':
        return this.agent.discover(body);
      case 'POST /api/v1/backup/preflight':
        return this.agent.preflight(body);
      case 'POST /api/v1/backup/start':
        return this.agent.startBackup(body);
      case 'POST /api/v1/backup/stop':
        return this.agent.stopBackup(body);
      default:
        throw new Refusal(404, '404 page not found');
    }
  }

  private answerLab(route: string, body: unknown): object | Promise<object> {
    switch (route) {
      case 'GET /lab/facts':
        return { url: this.url, ...this.facts() };
      case 'POST /lab/misbehave':
        this.misbehaviour.replace(understood(misbehaviourSettings, body));
        return this.misbehaviour.settings;
      case 'DELETE /lab/misbehave':
        this.misbehaviour.replace({});
        return {};
      default:
        return this.door(route, body);
    }
  }

  /** @param answer lines of JSON when it is text. */
  private sendAnswer(response: ServerResponse, answer: object | string): void {
    const kind = this.misbehaviour.settings.nonsense;
    if (kind !== undefined) {
      const { contentType, text } = nonsense(kind, typeof answer === 'string' ? { lines: answer } : answer);
      response.writeHead(200, { 'content-type': contentType }).end(text);
    } else if (typeof answer === 'string') {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' }).end(answer);
    } else {
      sendJson(response, answer);
    }
  }
}

function sendJson(response: ServerResponse, answer: object): void {
  response
    .writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache' })
    .end(JSON.stringify(answer));
}

/** The JSON that was sent, undefined when nothing was. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Refusal(413, 'request body too large');
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new Refusal(400, 'invalid JSON in request body');
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Refusal(400, 'invalid path');
  }
}
