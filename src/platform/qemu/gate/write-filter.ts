const REQUEST_MAGIC = 0x25609513;
const REQUEST_BYTES = 28;
const CMD_WRITE = 1;
const CMD_TRIM = 4;
const CMD_WRITE_ZEROES = 6;
/** No NBD command: the server answers the request with an error and goes on. */
const CMD_REFUSED = 0xffff;

/** The client doesn't speak the protocol. */
export class NotNbd extends Error {
  override readonly name = 'NotNbd';
}

/**
 * Reads along what a client sends after the negotiation. Requests that change the disk pass only while `mayWrite` says so,
 * which is asked for each of them; otherwise the request loses its data and becomes one the server answers with an error.
 * Nothing is held back but a request's header that has not come whole.
 */
export class WriteFilter {
  private readonly header = Buffer.alloc(REQUEST_BYTES);
  private headerBytes = 0;
  private payloadLeft = 0;
  private payloadPasses = true;

  constructor(private readonly mayWrite: () => boolean) {}

  /** The parts of what came that go on to the server. Throws NotNbd. */
  push(chunk: Buffer): readonly Buffer[] {
    const passing: Buffer[] = [];
    /** Where the part that passes unchanged begins. */
    let from = 0;
    let at = 0;
    const passUntil = (end: number) => {
      if (end > from) passing.push(chunk.subarray(from, end));
    };
    while (at < chunk.length) {
      if (this.payloadLeft > 0) {
        const bytes = Math.min(this.payloadLeft, chunk.length - at);
        this.payloadLeft -= bytes;
        at += bytes;
        if (!this.payloadPasses) from = at;
        continue;
      }
      const start = at;
      const bytes = Math.min(REQUEST_BYTES - this.headerBytes, chunk.length - at);
      chunk.copy(this.header, this.headerBytes, at, at + bytes);
      const whole = bytes === REQUEST_BYTES;
      this.headerBytes += bytes;
      at += bytes;
      if (this.headerBytes === REQUEST_BYTES) {
        this.headerBytes = 0;
        const changed = this.judge();
        if (whole && !changed) continue;
        passUntil(start);
        passing.push(Buffer.from(this.header));
      } else {
        passUntil(start);
      }
      from = at;
    }
    passUntil(chunk.length);
    return passing;
  }

  /** Looks at the header that has come whole; answers whether it had to be changed. */
  private judge(): boolean {
    if (this.header.readUInt32BE(0) !== REQUEST_MAGIC) throw new NotNbd('the client does not speak NBD');
    const type = this.header.readUInt16BE(6);
    this.payloadLeft = type === CMD_WRITE ? this.header.readUInt32BE(24) : 0;
    this.payloadPasses = true;
    if (type !== CMD_WRITE && type !== CMD_TRIM && type !== CMD_WRITE_ZEROES) return false;
    if (this.mayWrite()) return false;
    this.payloadPasses = false;
    this.header.writeUInt16BE(CMD_REFUSED, 6);
    this.header.writeUInt32BE(0, 24);
    return true;
  }
}
