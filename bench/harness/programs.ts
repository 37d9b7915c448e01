import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
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

/** Runs programs that hand their output to the next one, as a shell's `|` does; the last one's goes to the file `out`. */
export async function runPiped(
  commands: readonly (readonly [string, ...string[]])[],
  out: string,
  signal: AbortSignal,
): Promise<void> {
  const file = await open(out, 'w', 0o600);
  try {
    const ends: Promise<unknown>[] = [];
    let input: Readable | null = null;
    for (const [index, [program, ...args]] of commands.entries()) {
      const last = index === commands.length - 1;
      const child: ChildProcess = spawn(program, args, {
        stdio: [input ?? 'ignore', last ? file.fd : 'pipe', 'inherit'],
        signal,
      });
      ends.push(succeeded(program, child));
      // The child has an end of its own; ours would keep the one before from hearing that it is gone.
      input?.destroy();
      input = child.stdout;
    }
    await Promise.all(ends);
  } finally {
    await file.close();
  }
}

async function succeeded(program: string, child: ChildProcess): Promise<void> {
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${program} ended with ${code ?? 'a signal'}`);
}
