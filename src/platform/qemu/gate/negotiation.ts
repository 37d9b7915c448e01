import type { Socket } from 'node:net';

import { readExactly } from './socket-reader.js';
import { NotNbd } from './write-filter.js';

const NBD_MAGIC = 0x4e42444d41474943n;
const I_HAVE_OPT = 0x49484156454f5054n;
const REPLY_MAGIC = 0x3e889045565a9n;

const FIXED_NEWSTYLE = 1;
const NO_ZEROES = 2;

const OPT_EXPORT_NAME = 1;
const OPT_ABORT = 2;
const OPT_LIST = 3;
const OPT_INFO = 6;
const OPT_GO = 7;

const REP_ACK = 1;
const REP_INFO = 3;
const REP_ERR_UNSUP = 0x80000001;
const REP_ERR_POLICY = 0x80000002;
const REP_ERR_INVALID = 0x80000003;
const REP_ERR_UNKNOWN = 0x80000006;
const INFO_EXPORT = 0;

const FLAG_READ_ONLY = 1 << 1;
const FLAG_MULTI_CONN = 1 << 8;
/** More than any option of a client that means well: a name has 4096 bytes at most. */
const MAX_OPTION_BYTES = 16 * 1024;
const MAX_OPTIONS = 64;

/** What an NBD server says of its export. */
export interface ExportFacts {
  readonly sizeBytes: bigint;
  readonly flags: number;
}

/** The same facts as they are told to a client: one connection is one client, and it may be one that only reads. */
export function factsFor(facts: ExportFacts, readOnly: boolean): ExportFacts {
  const flags = facts.flags & ~FLAG_MULTI_CONN;
  return { ...facts, flags: readOnly ? flags | FLAG_READ_ONLY : flags };
}

/**
 * Plays the server of the NBD negotiation (fixed newstyle, simple replies). It knows one export and tells nothing of it, not
 * even that it exists, to who doesn't name it. `open` is asked for the facts when somebody does. True once the client has
 * chosen the export, false when it gave up or was refused. Throws when it doesn't speak NBD or ends.
 */
export async function serveNegotiation(
  client: Socket,
  exportName: string,
  open: () => Promise<ExportFacts>,
  signal: AbortSignal,
): Promise<boolean> {
  const greeting = Buffer.alloc(18);
  greeting.writeBigUInt64BE(NBD_MAGIC, 0);
  greeting.writeBigUInt64BE(I_HAVE_OPT, 8);
  greeting.writeUInt16BE(FIXED_NEWSTYLE | NO_ZEROES, 16);
  client.write(greeting);
  const clientFlags = (await readExactly(client, 4, signal)).readUInt32BE(0);
  if ((clientFlags & FIXED_NEWSTYLE) === 0) throw new NotNbd('the client does not speak fixed newstyle NBD');
  for (let count = 0; count < MAX_OPTIONS; count += 1) {
    const { option, data } = await readOption(client, signal);
    if (option === OPT_ABORT) {
      client.write(reply(option, REP_ACK));
      return false;
    }
    if (option === OPT_EXPORT_NAME) {
      // This oldest way to choose has no answer for a refusal.
      if (data.toString() !== exportName) return false;
      client.write(oldStyleFacts(await open(), (clientFlags & NO_ZEROES) !== 0));
      return true;
    }
    if (option === OPT_GO || option === OPT_INFO) {
      const name = nameOf(data);
      if (name !== exportName) {
        client.write(reply(option, name === null ? REP_ERR_INVALID : REP_ERR_UNKNOWN));
        continue;
      }
      client.write(Buffer.concat([reply(option, REP_INFO, infoOf(await open())), reply(option, REP_ACK)]));
      if (option === OPT_GO) return true;
      continue;
    }
    client.write(reply(option, option === OPT_LIST ? REP_ERR_POLICY : REP_ERR_UNSUP));
  }
  throw new NotNbd('the client goes on with options without end');
}

/** Plays the client of the negotiation: chooses the export and answers what the server says of it. */
export async function chooseExport(server: Socket, exportName: string, signal: AbortSignal): Promise<ExportFacts> {
  const greeting = await readExactly(server, 18, signal);
  const fixed = greeting.readBigUInt64BE(8) === I_HAVE_OPT && (greeting.readUInt16BE(16) & FIXED_NEWSTYLE) !== 0;
  if (!fixed) throw new NotNbd('the server does not speak fixed newstyle NBD');
  const name = Buffer.from(exportName);
  const go = Buffer.alloc(26 + name.length);
  go.writeUInt32BE(FIXED_NEWSTYLE | NO_ZEROES, 0);
  go.writeBigUInt64BE(I_HAVE_OPT, 4);
  go.writeUInt32BE(OPT_GO, 12);
  go.writeUInt32BE(6 + name.length, 16);
  go.writeUInt32BE(name.length, 20);
  name.copy(go, 24);
  server.write(go);
  let facts: ExportFacts | null = null;
  for (;;) {
    const head = await readExactly(server, 20, signal);
    const type = head.readUInt32BE(12);
    const data = await readExactly(server, head.readUInt32BE(16), signal);
    if (head.readBigUInt64BE(0) !== REPLY_MAGIC) throw new NotNbd('the server does not speak NBD');
    if (type === REP_INFO && data.length === 12 && data.readUInt16BE(0) === INFO_EXPORT) {
      facts = { sizeBytes: data.readBigUInt64BE(2), flags: data.readUInt16BE(10) };
    }
    if (type === REP_ACK && facts !== null) return facts;
    if (type !== REP_INFO) throw new Error(`the server refuses the export (answer ${type})`);
  }
}

async function readOption(client: Socket, signal: AbortSignal): Promise<{ option: number; data: Buffer }> {
  const head = await readExactly(client, 16, signal);
  const bytes = head.readUInt32BE(12);
  if (head.readBigUInt64BE(0) !== I_HAVE_OPT || bytes > MAX_OPTION_BYTES)
    throw new NotNbd('the client does not speak NBD');
  return { option: head.readUInt32BE(8), data: await readExactly(client, bytes, signal) };
}

/** The name in the data of OPT_INFO and OPT_GO, or null when they don't fit together. */
function nameOf(data: Buffer): string | null {
  if (data.length < 6) return null;
  const bytes = data.readUInt32BE(0);
  if (bytes > data.length - 6) return null;
  return data.toString('utf8', 4, 4 + bytes);
}

function reply(option: number, type: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(REPLY_MAGIC, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(data.length, 16);
  return Buffer.concat([head, data]);
}

function infoOf({ sizeBytes, flags }: ExportFacts): Buffer {
  const info = Buffer.alloc(12);
  info.writeUInt16BE(INFO_EXPORT, 0);
  info.writeBigUInt64BE(sizeBytes, 2);
  info.writeUInt16BE(flags, 10);
  return info;
}

function oldStyleFacts({ sizeBytes, flags }: ExportFacts, noZeroes: boolean): Buffer {
  const facts = Buffer.alloc(noZeroes ? 10 : 134);
  facts.writeBigUInt64BE(sizeBytes, 0);
  facts.writeUInt16BE(flags, 8);
  return facts;
}
