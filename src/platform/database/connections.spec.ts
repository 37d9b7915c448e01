import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { Connections } from './connections.js';

describe('the connections to a database', () => {
  let server: Server;
  let port: number;
  let met: Promise<Socket>;
  let connections: Connections;

  beforeEach(async () => {
    connections = new Connections();
    server = createServer();
    met = once(server, 'connection').then(([socket]) => socket as Socket);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    ({ port } = server.address() as AddressInfo);
  });

  afterEach(() => {
    connections.cut();
    server.close();
  });

  const begun = async () => {
    const socket = connections.stream();
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket.connect(port, '127.0.0.1'), 'connect');
    return socket;
  };

  it('have heard a word once for each time that there is one', async () => {
    const socket = await begun();
    expect(connections.hear()).toBe(false);
    (await met).write('word');
    await once(socket, 'data');
    expect(connections.hear()).toBe(true);
    expect(connections.hear()).toBe(false);
  });

  it('have heard a word also when it is that nobody is let in, and the connection ends with it', async () => {
    const closed = once(await begun(), 'close');
    (await met).end('too many clients');
    await closed;
    expect(connections.hear()).toBe(true);
    expect(connections.hear()).toBe(false);
  });

  it('have heard a word when one is refused', async () => {
    server.close();
    const socket = connections.stream();
    const [error] = (await once(socket.connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    expect(connections.hear()).toBe(true);
  });

  it('have heard nothing when they are cut', async () => {
    const closed = once(await begun(), 'close');
    expect(connections.cut()).toBe(1);
    await closed;
    expect(connections.hear()).toBe(false);
    expect(connections.cut()).toBe(0);
  });
});
