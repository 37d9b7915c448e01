import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const HOST = '127.0.0.1';
/** HTTP/2: a frame has its length in three bytes, then its type, and nine bytes before what it holds. */
const FRAME_HEADER_BYTES = 9;
const HEADERS = 1;
/** "I stop, in good order, and have done nothing of what you asked": whoever asked asks again elsewhere by itself. */
const GOING_AWAY = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/** The way to an EventStoreDB, which may lead to another one while somebody asks. */
export class Relay {
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  private constructor(private target: number) {
    this.server = createServer((client) => {
      this.pass(client, this.target);
    });
  }

  static async to(port: number): Promise<Relay> {
    const relay = new Relay(port);
    relay.server.listen(0, HOST);
    await once(relay.server, 'listening');
    return relay;
  }

  get url(): string {
    return `esdb://${HOST}:${(this.server.address() as AddressInfo).port}?tls=false`;
  }

  /** The next call on a connection that is there already is answered by the server at this port, without a word to the caller. */
  leadTo(port: number): void {
    this.target = port;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private pass(client: Socket, target: number): void {
    const behind = connect(target, HOST);
    for (const [one, other] of [
      [client, behind],
      [behind, client],
    ] as const) {
      this.sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
    behind.pipe(client);
    client.on('data', (sent: Buffer) => {
      if (this.target !== target && isCall(sent)) client.write(GOING_AWAY);
      else behind.write(sent);
    });
  }
}

function isCall(sent: Buffer): boolean {
  for (let at = 0; at + FRAME_HEADER_BYTES <= sent.length; at += FRAME_HEADER_BYTES + sent.readUIntBE(at, 3)) {
    if (sent[at + 3] === HEADERS) return true;
  }
  return false;
}
