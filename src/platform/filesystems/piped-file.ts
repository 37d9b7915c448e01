import type { Readable } from 'node:stream';

import { MountDoesNotAnswer } from '#domain/restore/mount.errors';
import type { RunningProgram } from '#platform/processes/process-runner.port';

const MAX_LINE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** The first line of a program's output and what came with it. Throws MountDoesNotAnswer when it takes too long. */
export async function firstLine(
  stdout: Readable,
  withinSeconds: number,
): Promise<{ readonly line: string; readonly rest: Buffer }> {
  let known = Buffer.alloc(0);
  const deadline = performance.now() + withinSeconds * 1000;
  while (known.byteLength <= MAX_LINE_BYTES) {
    const end = known.indexOf(NEWLINE);
    if (end !== -1) return { line: known.subarray(0, end).toString(), rest: known.subarray(end + 1) };
    const chunk = await nextChunk(stdout, (deadline - performance.now()) / 1000);
    if (chunk === null) break;
    known = Buffer.concat([known, chunk]);
  }
  throw new MountDoesNotAnswer();
}

/** Exactly so many bytes of a program's output, `rest` first; an output that is shorter, or a program that fails, is an error. */
export async function* announcedBytes(
  program: RunningProgram,
  rest: Buffer,
  bytes: number,
  stalledSeconds: number,
): AsyncGenerator<Buffer> {
  let left = bytes;
  for (let chunk: Buffer | null = rest; chunk !== null; chunk = await nextChunk(program.stdout, stalledSeconds)) {
    left -= chunk.byteLength;
    if (left < 0) throw new Error('more bytes came than were announced');
    if (chunk.byteLength > 0) yield chunk;
  }
  const { exitCode } = await program.ended;
  if (left > 0 || exitCode !== 0) throw new Error('the file could not be read to its end');
}

/** A program's output to its end, `rest` first; an end that the program itself doesn't call good is an error. */
export async function* provenToEnd(
  program: RunningProgram,
  rest: Buffer,
  stalledSeconds: number,
): AsyncGenerator<Buffer> {
  for (let chunk: Buffer | null = rest; chunk !== null; chunk = await nextChunk(program.stdout, stalledSeconds)) {
    if (chunk.byteLength > 0) yield chunk;
  }
  const { exitCode } = await program.ended;
  if (exitCode !== 0) throw new Error('the archive could not be written to its end');
}

/** The next piece, or null at the end; nothing is read ahead of who wants it. */
async function nextChunk(stdout: Readable, withinSeconds: number): Promise<Buffer | null> {
  const ready = stdout.read() as Buffer | null;
  if (ready !== null) return ready;
  if (stdout.readableEnded) return null;
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer);
      stdout.off('readable', onReadable);
      stdout.off('end', onEnd);
      stdout.off('close', onEnd);
      act();
    };
    const onReadable = () => {
      const chunk = stdout.read() as Buffer | null;
      if (chunk === null) return;
      settle(() => {
        resolve(chunk);
      });
    };
    const onEnd = () => {
      settle(() => {
        resolve(null);
      });
    };
    const timer = setTimeout(
      () => {
        settle(() => {
          reject(new MountDoesNotAnswer());
        });
      },
      Math.max(0, withinSeconds) * 1000,
    );
    stdout.on('readable', onReadable);
    stdout.on('end', onEnd);
    stdout.on('close', onEnd);
  });
}
