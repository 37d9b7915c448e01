import type { Socket } from 'node:net';

import type { ByteReader } from './byte-reader.js';

/** What the server told of the export. */
export interface ExportFacts {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly canFlush: boolean;
  readonly canWriteZeroes: boolean;
}

const NBD_MAGIC = 0x4e42444d41474943n;
const I_HAVE_OPT = 0x49484156454f5054n;
const REPLY_MAGIC = 0x3e889045565a9n;
const FIXED_NEWSTYLE = 1;
const OPT_GO = 7;
const REP_ACK = 1;
const REP_INFO = 3;
const REP_ERROR = 0x80000000;
const INFO_EXPORT = 0;
const MAX_REPLY_BYTES = 64 * 1024;

const FLAG_READ_ONLY = 1 << 1;
const FLAG_SEND_FLUSH = 1 << 2;
const FLAG_SEND_WRITE_ZEROES = 1 << 6;

/** Fixed newstyle negotiation with NBD_OPT_GO. Throws when the server speaks otherwise or refuses the export. */
export async function negotiate(socket: Socket, reader: ByteReader, exportName: string): Promise<ExportFacts> {
  const greeting = await reader.read(18);
  const flags = greeting.readUInt16BE(16);
  const known = greeting.readBigUInt64BE(0) === NBD_MAGIC && greeting.readBigUInt64BE(8) === I_HAVE_OPT;
  if (!known || (flags & FIXED_NEWSTYLE) === 0) throw new Error('the server does not speak fixed newstyle NBD');
  const clientFlags = Buffer.alloc(4);
  clientFlags.writeUInt32BE(FIXED_NEWSTYLE);
  socket.write(Buffer.concat([clientFlags, go(exportName)]));
  let facts: ExportFacts | null = null;
  for (;;) {
    const { type, data } = await readReply(reader);
    if (type >= REP_ERROR)
      throw new Error(`the NBD server refuses export ${exportName}: ${data.toString()} (${type - REP_ERROR})`);
    if (type === REP_INFO && data.readUInt16BE(0) === INFO_EXPORT) facts = exportFacts(data);
    if (type === REP_ACK) break;
  }
  if (facts === null) throw new Error('the NBD server did not tell the size of its export');
  return facts;
}

function go(exportName: string): Buffer {
  const name = Buffer.from(exportName);
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(I_HAVE_OPT, 0);
  head.writeUInt32BE(OPT_GO, 8);
  head.writeUInt32BE(4 + name.length + 2, 12);
  head.writeUInt32BE(name.length, 16);
  return Buffer.concat([head, name, Buffer.alloc(2)]);
}

async function readReply(reader: ByteReader): Promise<{ readonly type: number; readonly data: Buffer }> {
  const head = await reader.read(20);
  const length = head.readUInt32BE(16);
  if (head.readBigUInt64BE(0) !== REPLY_MAGIC || length > MAX_REPLY_BYTES) throw new Error('not an NBD option reply');
  return { type: head.readUInt32BE(12), data: await reader.read(length) };
}

function exportFacts(data: Buffer): ExportFacts {
  const flags = data.readUInt16BE(10);
  return {
    sizeBytes: Number(data.readBigUInt64BE(2)),
    readOnly: (flags & FLAG_READ_ONLY) !== 0,
    canFlush: (flags & FLAG_SEND_FLUSH) !== 0,
    canWriteZeroes: (flags & FLAG_SEND_WRITE_ZEROES) !== 0,
  };
}
