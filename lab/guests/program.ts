import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const PROGRAM_LIMIT_MS = 60_000;

/**
 * Runs a program of the system and answers what it printed, complaints included. The administrator's programs may not be
 * on a user's path.
 */
export async function runProgram(program: string, args: readonly string[], input = ''): Promise<string> {
  const running = promisify(execFile)(program, args, {
    timeout: PROGRAM_LIMIT_MS,
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  });
  running.child.stdin?.on('error', () => undefined).end(input);
  const { stdout, stderr } = await running;
  return stdout + stderr;
}
