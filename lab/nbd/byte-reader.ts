import type { Socket } from 'node:net';

/** Reads exact numbers of bytes from a socket; one read at a time. */
export class ByteReader {
  private chunks: Buffer[] = [];
  private available = 0;
  private failure: Error | null = null;
  private waiting: { readonly size: number; resolve(bytes: Buffer): void; reject(error: Error): void } | null = null;

  constructor(socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.available += chunk.length;
      this.settle();
    });
    socket.on('error', (error) => {
      this.fail(error);
    });
    socket.on('close', () => {
      this.fail(new Error('the NBD server closed the connection'));
    });
  }

  /** Rejects when the connection ends before the bytes came. */
  read(size: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.waiting = { size, resolve, reject };
      this.settle();
    });
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.settle();
  }

  private settle(): void {
    const waiting = this.waiting;
    if (waiting === null) return;
    if (this.available >= waiting.size) {
      this.waiting = null;
      const all = Buffer.concat(this.chunks);
      this.chunks = [all.subarray(waiting.size)];
      this.available -= waiting.size;
      waiting.resolve(all.subarray(0, waiting.size));
    } else if (this.failure !== null) {
      this.waiting = null;
      waiting.reject(this.failure);
    }
  }
}
