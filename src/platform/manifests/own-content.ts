import { createInterface } from 'node:readline';
import { z } from 'zod';

import type { ProcessRunner } from '#platform/processes/process-runner.port';
import { imageNode } from '#platform/qemu/node-graph';

/** Pieces of a disk's content begin and end at multiples of this, unless the content itself does before. */
export const PIECE_BYTES = 4 * 1024 * 1024;

/** A stretch of the image file. */
export interface HostStretch {
  readonly hostOffset: number;
  readonly length: number;
}

/**
 * A part of what a layer itself holds, within one window of PIECE_BYTES. `stretches` say where the bytes are in the image
 * file, in order; null when the layer says that they are zeros.
 */
export interface OwnPiece {
  readonly offset: number;
  readonly length: number;
  readonly stretches: readonly HostStretch[] | null;
}

/** The image's map can't be read; `detail` is for the log. */
export class MapUnreadable extends Error {
  override readonly name = 'MapUnreadable';
  constructor(readonly detail: string) {
    super('the map of the image can not be read');
  }
}

/** qemu-img could not do its work; that says nothing about the image. `detail` is for the log. */
class MapNotRead extends Error {
  override readonly name = 'MapNotRead';
  constructor(readonly detail: string) {
    super('qemu-img could not read the map of the image');
  }
}

/**
 * What ends it with the same exit code as a damaged table, and passes: it is of a file server or of this process. At the end of a
 * line, since before it the image's place is named.
 */
const PASSING = new RegExp(
  `(?:${[
    'lock',
    'failed to (?:un)?lock byte .*',
    'no locks available',
    'too many open files',
    'too many open files in system',
    'cannot allocate memory',
    'resource temporarily unavailable',
    'device or resource busy',
    'stale file handle',
    'transport endpoint is not connected',
    'connection timed out',
    'host is down',
    'remote i/o error',
  ].join('|')})$`,
  'im',
);

const area = z.object({
  start: z.int().min(0),
  length: z.int().positive(),
  present: z.boolean(),
  zero: z.boolean(),
  data: z.boolean(),
  offset: z.int().min(0).optional(),
});
const MAX_LINE = 4096;

/**
 * What the layer itself holds, in rising order: `qemu-img map` of the layer without those beneath it. Clusters that were
 * never written in this layer (`present` false) are left out; neighbours of one kind are joined, wherever they lie in the
 * file, so that the pieces say nothing about the file's layout. Throws MapUnreadable.
 */
export async function* ownContent(runner: ProcessRunner, file: string, signal: AbortSignal): AsyncGenerator<OwnPiece> {
  signal.throwIfAborted();
  const running = runner.pipe({ program: 'qemu-img', args: ['map', '--output=json', '--', imageNode(file)] });
  const stop = () => {
    running.kill();
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    let pending: OwnPiece | null = null;
    for await (const line of createInterface({ input: running.stdout, crlfDelay: Infinity })) {
      for (const piece of cut(read(line))) {
        // Lines that were printed already are no reason to read on.
        signal.throwIfAborted();
        if (pending !== null && continues(pending, piece)) pending = joined(pending, piece);
        else {
          if (pending !== null) yield pending;
          pending = piece;
        }
      }
    }
    const { exitCode, stderr } = await running.ended;
    signal.throwIfAborted();
    if (exitCode !== 0)
      throw exitCode === 1 && !PASSING.test(stderr) ? new MapUnreadable(stderr) : new MapNotRead(stderr);
    if (pending !== null) yield pending;
  } finally {
    signal.removeEventListener('abort', stop);
    running.kill();
  }
}

type Area = z.output<typeof area>;

/** qemu-img prints one area per line, as elements of one array. */
function read(line: string): Area | null {
  const text = line
    .trim()
    .replace(/^\[/, '')
    .replace(/[\],]+$/, '');
  if (text === '') return null;
  if (text.length > MAX_LINE) throw new MapUnreadable('a line is too long');
  try {
    return area.parse(JSON.parse(text));
  } catch (error) {
    throw new MapUnreadable(String(error));
  }
}

function* cut(found: Area | null): Generator<OwnPiece> {
  if (found?.present !== true) return;
  // A place in the file that is a hole there is data that reads as zeros: whether it is one changes with every copy of the file.
  const isData = found.data;
  if (isData && found.offset === undefined) throw new MapUnreadable('an area of data has no place in the file');
  const end = found.start + found.length;
  for (let offset = found.start; offset < end;) {
    const length = Math.min(end, (Math.floor(offset / PIECE_BYTES) + 1) * PIECE_BYTES) - offset;
    const hostOffset = (found.offset ?? 0) + (offset - found.start);
    yield { offset, length, stretches: isData ? [{ hostOffset, length }] : null };
    offset += length;
  }
}

function continues(before: OwnPiece, piece: OwnPiece): boolean {
  return (
    before.offset + before.length === piece.offset &&
    piece.offset % PIECE_BYTES !== 0 &&
    (before.stretches === null) === (piece.stretches === null)
  );
}

function joined(before: OwnPiece, { length, stretches }: OwnPiece): OwnPiece {
  const all = before.stretches === null || stretches === null ? null : [...before.stretches, ...stretches];
  return { offset: before.offset, length: before.length + length, stretches: all };
}
