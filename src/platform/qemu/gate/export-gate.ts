import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

import { GateConnection, type GateSettings } from './gate-connection.js';

/** An agent uses one connection or two; what is more than this is turned away at once. */
const MAX_CONNECTIONS = 8;

/**
 * The door of one export, on a loopback port: it lets in who knows the export's name, doesn't list it, lets one connection
 * at a time change the disk, and slows what it writes to the rates given.
 *
 * The writer is the connection that writes first, until it has ended. Who comes while there is a writer is told that the
 * disk is read-only; who came before and never wrote gets an error for a write.
 */
export class ExportGate {
  private readonly connections = new Set<GateConnection>();
  private writer: GateConnection | null = null;

  private constructor(
    private readonly server: Server,
    private readonly settings: GateSettings,
  ) {
    server.on('connection', (client) => {
      this.welcome(client);
    });
  }

  /** Null when the port is taken. */
  static async open(settings: GateSettings): Promise<ExportGate | null> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const gate = new ExportGate(server, settings);
    server.listen({ host: '127.0.0.1', port: settings.port, exclusive: true });
    try {
      await once(server, 'listening');
      // One client that can't be taken in (no memory, no descriptors) is that client's trouble.
      server.on('error', () => undefined);
      return gate;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
      throw error;
    }
  }

  /** Turns everybody out; what they sent and was not answered may be lost. Gives the shares back. */
  async close(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    for (const share of this.settings.shares) share.release();
    for (const connection of this.connections) connection.abort();
    await closed;
  }

  private welcome(client: Socket): void {
    if (this.connections.size >= MAX_CONNECTIONS) {
      client.on('error', () => undefined).destroy();
      return;
    }
    const connection: GateConnection = new GateConnection(client, this.settings, {
      hasOtherWriter: () => this.writer !== null && this.writer !== connection,
      mayWrite: () => {
        this.writer ??= connection;
        return this.writer === connection;
      },
    });
    this.connections.add(connection);
    void connection.run().finally(() => {
      this.connections.delete(connection);
      if (this.writer === connection) this.writer = null;
    });
  }
}
