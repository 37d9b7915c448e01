import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

export interface Door {
  /** Cuts all connections, and takes no more. */
  close(): Promise<void>;
  /** Passes nothing on any more, and tells nobody, as a network that swallows everything. */
  stall(): void;
  /** Passes everything on again, as a server that was frozen; each piece so much later, as a network that is slow. */
  goOn(delayMs?: number): void;
}

/** The address of a database behind the door at this port. */
export function behindDoor(port: number, url: string): string {
  const behind = new URL(url);
  behind.searchParams.delete('host');
  behind.host = `127.0.0.1:${port}`;
  return behind.href;
}

/** Passes everything on to the test's database server, until it is closed. */
export async function openDoor(port: number, url: string): Promise<Door> {
  const { hostname, port: behindPort, searchParams } = new URL(url);
  const folder = searchParams.get('host');
  const pairs = new Map<Socket, Socket>();
  let isStalled = false;
  let delayMs = 0;
  const pass = (one: Socket, other: Socket) => {
    if (delayMs === 0) one.pipe(other);
    else one.on('data', (piece: Buffer) => setTimeout(() => other.write(piece), delayMs));
  };
  const server: Server = createServer((client) => {
    const number = behindPort === '' ? 5432 : Number(behindPort);
    const database =
      folder === null
        ? connect({ host: hostname, port: number })
        : connect({ path: join(folder, `.s.PGSQL.${number}`) });
    for (const [one, other] of [
      [client, database],
      [database, client],
    ] as const) {
      pairs.set(one, other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        pairs.delete(one);
        other.destroy();
      });
      if (!isStalled) pass(one, other);
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    close: async () => {
      if (!server.listening) return;
      for (const socket of [...pairs.keys()]) socket.destroy();
      server.close();
      await once(server, 'close');
    },
    stall: () => {
      isStalled = true;
      for (const socket of pairs.keys()) socket.unpipe();
    },
    goOn: (laterMs = 0) => {
      if (!isStalled) return;
      isStalled = false;
      delayMs = laterMs;
      for (const [one, other] of pairs) pass(one, other);
    },
  };
}
