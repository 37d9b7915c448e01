import { type FileHandle, open } from 'node:fs/promises';

import { NbdClient, type NbdTarget } from '../nbd/nbd-client.js';
import type { Misbehaviour, Turn } from './misbehaviour.js';

const CHUNK_BYTES = 1024 * 1024;
const BLOCK_BYTES = 64 * 1024;
const REQUESTS_IN_FLIGHT = 8;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** One disk of a job. */
export interface DiskCopy {
  readonly file: string;
  readonly sizeBytes: number;
  readonly target: NbdTarget;
  /** Where the disk begins among the bytes of the job. */
  readonly jobOffset: number;
  readonly jobBytes: number;
  /** Called as bytes, zeros included, are acknowledged. */
  copied(bytes: number): void;
}

interface Extent {
  readonly offset: number;
  readonly bytes: Buffer;
  readonly isZero: boolean;
}

/** Writes a disk to its export, byte by byte the same: data as data, zeros as holes. Answers how it ended. */
export async function copyDisk(disk: DiskCopy, misbehaviour: Misbehaviour, signal: AbortSignal): Promise<Turn> {
  const source = await open(disk.file, 'r');
  try {
    const client = await NbdClient.connect(disk.target, signal);
    const giveUp = () => {
      client.destroy();
    };
    signal.addEventListener('abort', giveUp);
    try {
      checkExport(client, disk);
      const turn = await copyAll(source, client, disk, misbehaviour, signal);
      if (turn !== 'vanish') {
        await client.flush();
        await client.disconnect();
      }
      return turn;
    } finally {
      signal.removeEventListener('abort', giveUp);
      client.destroy();
    }
  } finally {
    await source.close();
  }
}

function checkExport(client: NbdClient, disk: DiskCopy): void {
  const { sizeBytes, readOnly } = client.facts;
  if (readOnly) throw new Error(`export ${disk.target.exportName} is read-only`);
  if (sizeBytes !== disk.sizeBytes) {
    throw new Error(`export ${disk.target.exportName} has ${sizeBytes} bytes, the disk ${disk.sizeBytes}`);
  }
}

async function copyAll(
  source: FileHandle,
  client: NbdClient,
  disk: DiskCopy,
  misbehaviour: Misbehaviour,
  signal: AbortSignal,
): Promise<Turn> {
  const inFlight = new Set<Promise<void>>();
  let failure: Error | null = null;
  const send = (extent: Extent) => {
    const { offset, bytes } = extent;
    const request = (extent.isZero ? client.writeZeroes(offset, bytes.length) : client.write(offset, bytes))
      .then(() => {
        disk.copied(bytes.length);
      })
      .catch((error: unknown) => {
        failure ??= error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => inFlight.delete(request));
    inFlight.add(request);
  };
  const drainTo = async (limit: number) => {
    while (inFlight.size > limit) await Promise.race(inFlight);
    if (failure !== null) throw failure;
  };
  let offset = 0;
  let turn: Turn = 'go on';
  try {
    while (offset < disk.sizeBytes) {
      const at = disk.jobOffset + offset;
      turn = await misbehaviour.turn(at, disk.jobBytes, signal);
      if (turn !== 'go on') break;
      const size = misbehaviour.stride(at, Math.min(CHUNK_BYTES, disk.sizeBytes - offset), disk.jobBytes);
      const bytes = await readExactly(source, offset, size);
      misbehaviour.spoil(bytes, at);
      for (const extent of extents(bytes, offset)) {
        send(extent);
        await drainTo(REQUESTS_IN_FLIGHT - 1);
      }
      await misbehaviour.keepPace(size, signal);
      offset += size;
    }
    if (turn !== 'vanish') await drainTo(0);
  } finally {
    // Also when the copy fails: what was sent is written, and counted, before anybody hears of the failure.
    await Promise.all(inFlight);
  }
  return turn;
}

async function readExactly(source: FileHandle, offset: number, size: number): Promise<Buffer> {
  const { bytesRead, buffer } = await source.read(Buffer.allocUnsafe(size), 0, size, offset);
  if (bytesRead !== size) throw new Error(`the disk ends at byte ${offset + bytesRead}`);
  return buffer;
}

/** Cuts a chunk into runs of zeros and runs of data. */
function extents(chunk: Buffer, chunkOffset: number): readonly Extent[] {
  const found: Extent[] = [];
  let start = 0;
  let startIsZero = isZero(chunk.subarray(0, BLOCK_BYTES));
  for (let at = BLOCK_BYTES; at < chunk.length; at += BLOCK_BYTES) {
    const blockIsZero = isZero(chunk.subarray(at, at + BLOCK_BYTES));
    if (blockIsZero === startIsZero) continue;
    found.push({ offset: chunkOffset + start, bytes: chunk.subarray(start, at), isZero: startIsZero });
    start = at;
    startIsZero = blockIsZero;
  }
  found.push({ offset: chunkOffset + start, bytes: chunk.subarray(start), isZero: startIsZero });
  return found;
}

function isZero(block: Buffer): boolean {
  return block.equals(ZEROS.subarray(0, block.length));
}
