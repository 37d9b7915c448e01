import { constants, type FileHandle, open } from 'node:fs/promises';

const HEADER_BYTES = 104;
/** Longest name of a backing file that the format allows. */
const MAX_NAME_BYTES = 1023;
const MAGIC = 0x514649fb;
/** Incompatible features that OMA's own images may have: the dirty bit and the bit for damage that was noticed. */
const DIRTY = 1n;
const CORRUPT = 2n;

/** What the header of one of OMA's images says. */
export interface Qcow2Header {
  readonly virtualSizeBytes: number;
  /** The name it has for the image beneath it; null for an image of its own. */
  readonly backingFile: string | null;
  /** Set with the first allocation, cleared only by a close that wrote everything: see docs/adr/0007. */
  readonly dirty: boolean;
  readonly corrupt: boolean;
  readonly lazyRefcounts: boolean;
}

/** An image that no program may open for us: not a QCOW2 file of the kind OMA writes. The message says what is wrong. */
export class ImageRefused extends Error {
  override readonly name = 'ImageRefused';
}

/**
 * Reads the header without any program and without following what it says. Throws ImageRefused for a backing file other
 * than `backingFile`, an external data file, encryption, internal snapshots and every feature that OMA doesn't write; ENOENT
 * as the system says it.
 */
export async function readQcow2Header(file: string, backingFile: string | null = null): Promise<Qcow2Header> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw new ImageRefused('the image is not a regular file');
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    if (bytesRead < HEADER_BYTES) throw new ImageRefused('the image is shorter than its header');
    const header = parse(buffer, await backingNameOf(handle, buffer));
    if (header.backingFile !== backingFile) {
      throw new ImageRefused('the image names a backing file that nobody gave it, or lacks the one it should have');
    }
    return header;
  } finally {
    await handle.close();
  }
}

async function backingNameOf(handle: FileHandle, header: Buffer): Promise<string | null> {
  const offset = header.readBigUInt64BE(8);
  const length = header.readUInt32BE(16);
  if (offset === 0n) return null;
  if (length === 0 || length > MAX_NAME_BYTES || offset > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new ImageRefused("the name of the image's backing file is not one");
  }
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, Number(offset));
  if (bytesRead < length) throw new ImageRefused("the name of the image's backing file is cut off");
  return buffer.toString('utf8');
}

function parse(header: Buffer, backingFile: string | null): Qcow2Header {
  if (header.readUInt32BE(0) !== MAGIC) throw new ImageRefused('the file is not a QCOW2 image');
  if (header.readUInt32BE(4) !== 3) throw new ImageRefused('the image has another version of the QCOW2 format');
  if (header.readUInt32BE(32) !== 0) throw new ImageRefused('the image is encrypted');
  if (header.readUInt32BE(60) !== 0) throw new ImageRefused('the image holds internal snapshots');
  const incompatible = header.readBigUInt64BE(72);
  if ((incompatible & ~(DIRTY | CORRUPT)) !== 0n) {
    throw new ImageRefused('the image needs a feature that OMA does not write (an external data file, for example)');
  }
  return {
    virtualSizeBytes: Number(header.readBigUInt64BE(24)),
    backingFile,
    dirty: (incompatible & DIRTY) !== 0n,
    corrupt: (incompatible & CORRUPT) !== 0n,
    lazyRefcounts: (header.readBigUInt64BE(80) & 1n) !== 0n,
  };
}
