import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const PROGRAM_LIMIT_MS = 600_000;
const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024;

/** Runs a program to its end and answers what it said. Throws when it fails, with what it complained about. */
export async function run(program: string, args: readonly string[], signal?: AbortSignal): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, {
    timeout: PROGRAM_LIMIT_MS,
    maxBuffer: OUTPUT_LIMIT_BYTES,
    ...(signal !== undefined && { signal }),
  });
  return stdout;
}

/** The seconds that some work takes. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
