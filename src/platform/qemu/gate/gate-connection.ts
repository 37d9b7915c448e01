import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import type { Share } from '../bandwidth/bandwidth-pool.js';
import { chooseExport, type ExportFacts, factsFor, serveNegotiation } from './negotiation.js';
import { WriteFilter } from './write-filter.js';

/** Who has not chosen the export by then is turned out. */
const NEGOTIATION_MS = 10_000;

/** A server that was told to end reads what was sent before; it is not waited for longer than this. */
const FAREWELL_MS = 30_000;

export interface GateSettings {
  readonly port: number;
  readonly exportName: string;
  /** The unix socket of the export's qemu-nbd. */
  readonly socket: string;
  /** Bytes towards the server pass only when each of these lets them. */
  readonly shares: readonly Share[];
}

/** What the gate's connections know of each other. */
export interface WriterRule {
  hasOtherWriter(): boolean;
  /** Asked before each request that changes the disk; the first that asks becomes the writer. */
  mayWrite(): boolean;
}

/** One client of a gate, with a connection of its own to the export's server. */
export class GateConnection {
  private upstream: Socket | null = null;
  private askedFacts: Promise<ExportFacts> | null = null;
  private readonly aborted = new AbortController();

  constructor(
    private readonly client: Socket,
    private readonly settings: GateSettings,
    private readonly rule: WriterRule,
  ) {
    // What goes wrong with a socket ends it, and its end is seen where it is read and written.
    client.on('error', () => undefined);
  }

  /** Serves the client; resolves when both ends are closed and the server has nothing more of it to do. Never rejects. */
  async run(): Promise<void> {
    try {
      const upstream = await this.negotiate();
      if (upstream !== null) await Promise.all([this.forward(upstream), this.answer(upstream)]);
    } catch {
      // The client left, doesn't speak NBD or was turned out: it is told by the end of its connection.
    } finally {
      this.client.destroySoon();
      await this.endUpstream();
    }
  }

  /** Ends both connections at once. */
  abort(): void {
    this.aborted.abort();
    this.client.destroy();
    this.upstream?.destroy();
  }

  private async negotiate(): Promise<Socket | null> {
    const { exportName } = this.settings;
    const { signal } = this.aborted;
    // Not AbortSignal.timeout: one that only other signals are made of is collected as garbage and never comes.
    const late = setTimeout(() => {
      this.aborted.abort();
    }, NEGOTIATION_MS);
    const open = async () => {
      const facts = await this.facts(signal);
      return factsFor(facts, this.rule.hasOtherWriter());
    };
    try {
      return (await serveNegotiation(this.client, exportName, open, signal)) ? this.upstream : null;
    } finally {
      clearTimeout(late);
    }
  }

  /** A client may ask before it chooses; the server is asked once. */
  private facts(signal: AbortSignal): Promise<ExportFacts> {
    return (this.askedFacts ??= this.askFacts(signal));
  }

  private async askFacts(signal: AbortSignal): Promise<ExportFacts> {
    const upstream = connect({ path: this.settings.socket });
    upstream.on('error', () => undefined);
    this.upstream = upstream;
    await once(upstream, 'connect', { signal });
    return chooseExport(upstream, this.settings.exportName, signal);
  }

  /** Client to server: slowed, filtered, and never more in memory than what one read gives. */
  private async forward(upstream: Socket): Promise<void> {
    const filter = new WriteFilter(() => this.rule.mayWrite());
    for await (const chunk of this.client.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (const part of filter.push(chunk)) {
        for (const share of this.settings.shares) await share.take(part.length);
        await written(upstream, part);
      }
    }
    upstream.end();
  }

  /** Server to client: as it comes, and to the last byte when the server ends. */
  private async answer(upstream: Socket): Promise<void> {
    upstream.once('close', () => {
      this.client.destroySoon();
    });
    upstream.pipe(this.client, { end: false });
    await once(this.client, 'close');
  }

  /** Resolves when the server has read what was sent and has ended too: then nothing of this client is written any more. */
  private async endUpstream(): Promise<void> {
    const { upstream } = this;
    if (upstream === null || upstream.destroyed) return;
    const late = setTimeout(() => upstream.destroy(), FAREWELL_MS);
    upstream.unpipe();
    upstream.resume().end();
    await new Promise((resolve) => upstream.once('close', resolve));
    clearTimeout(late);
  }
}

function written(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => {
      if (error == null) resolve();
      else reject(error);
    });
  });
}
