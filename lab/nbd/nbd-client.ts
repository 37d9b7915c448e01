import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { ByteReader } from './byte-reader.js';
import { type ExportFacts, negotiate } from './handshake.js';

/** An export by its address, as in `nbd://127.0.0.1:10809/name`. */
export interface NbdTarget {
  readonly host: string;
  readonly port: number;
  readonly exportName: string;
}

const REQUEST_MAGIC = 0x25609513;
const SIMPLE_REPLY_MAGIC = 0x67446698;
const CMD_WRITE = 1;
const CMD_DISC = 2;
const CMD_FLUSH = 3;
const CMD_WRITE_ZEROES = 6;
const ANSWER_LIMIT_MS = 30_000;

interface Pending {
  resolve(): void;
  reject(error: Error): void;
}

/**
 * A writer for one NBD export (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md): simple replies only,
 * any number of requests in flight. When the connection breaks, all requests in flight and later ones reject.
 */
export class NbdClient {
  private readonly pending = new Map<bigint, Pending>();
  private lastCookie = 0n;
  private broken: Error | null = null;

  private constructor(
    private readonly socket: Socket,
    private readonly reader: ByteReader,
    readonly facts: ExportFacts,
  ) {
    void this.readReplies();
  }

  static async connect(target: NbdTarget, signal: AbortSignal): Promise<NbdClient> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]);
    const socket = connect({ host: target.host, port: target.port, noDelay: true });
    const giveUp = () => socket.destroy(new Error('gave up on the NBD server'));
    limited.addEventListener('abort', giveUp);
    try {
      await once(socket, 'connect', { signal: limited });
      const reader = new ByteReader(socket);
      return new NbdClient(socket, reader, await negotiate(socket, reader, target.exportName));
    } catch (error) {
      socket.on('error', () => undefined).destroy();
      throw error;
    } finally {
      limited.removeEventListener('abort', giveUp);
    }
  }

  write(offset: number, data: Buffer): Promise<void> {
    return this.request(CMD_WRITE, offset, data.length, data);
  }

  /**
   * The bytes read as zeros afterwards, also above a backing file, and take no room where the image can do without; a
   * server that doesn't know the request is sent zeros.
   */
  writeZeroes(offset: number, length: number): Promise<void> {
    if (!this.facts.canWriteZeroes) return this.write(offset, Buffer.alloc(length));
    return this.request(CMD_WRITE_ZEROES, offset, length);
  }

  async flush(): Promise<void> {
    if (this.facts.canFlush) await this.request(CMD_FLUSH, 0, 0);
  }

  /** Ends the connection as the protocol wants it, after all replies came. */
  async disconnect(): Promise<void> {
    const closed = once(this.socket, 'close');
    this.socket.end(header(CMD_DISC, 0n, 0, 0));
    await closed;
  }

  /** Ends the connection as a crash would. */
  destroy(): void {
    this.socket.destroy();
  }

  private request(type: number, offset: number, length: number, data?: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.broken !== null) {
        reject(this.broken);
        return;
      }
      const cookie = ++this.lastCookie;
      this.pending.set(cookie, { resolve, reject });
      // Corked, both go to the system in one call, and the data isn't copied for it.
      this.socket.cork();
      this.socket.write(header(type, cookie, offset, length));
      if (data !== undefined) this.socket.write(data);
      this.socket.uncork();
    });
  }

  private async readReplies(): Promise<void> {
    try {
      for (;;) this.take(await this.reader.read(16));
    } catch (error) {
      this.broken = error instanceof Error ? error : new Error(String(error));
      for (const request of this.pending.values()) request.reject(this.broken);
      this.pending.clear();
      this.socket.destroy();
    }
  }

  private take(reply: Buffer): void {
    const cookie = reply.readBigUInt64BE(8);
    const pending = this.pending.get(cookie);
    if (reply.readUInt32BE(0) !== SIMPLE_REPLY_MAGIC || pending === undefined) throw new Error('not an NBD reply');
    this.pending.delete(cookie);
    const code = reply.readUInt32BE(4);
    if (code === 0) pending.resolve();
    else pending.reject(new Error(`the NBD server answers error ${code}`));
  }
}

function header(type: number, cookie: bigint, offset: number, length: number): Buffer {
  const request = Buffer.alloc(28);
  request.writeUInt32BE(REQUEST_MAGIC, 0);
  request.writeUInt16BE(type, 6);
  request.writeBigUInt64BE(cookie, 8);
  request.writeBigUInt64BE(BigInt(offset), 16);
  request.writeUInt32BE(length, 24);
  return request;
}
