import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import type { Leftovers } from './leftovers.js';
import { run } from './programs.js';

const READY_SECONDS = 15;
const LOOK_EVERY_MS = 5;

/** A program that serves until it is ended. */
export interface Served {
  /** Ends it and waits for that. */
  end(): Promise<void>;
}

/** Starts a program in the foreground and waits until `ready` says yes. */
export async function serve(
  program: string,
  args: readonly string[],
  ready: () => Promise<boolean>,
  leftovers: Leftovers,
  environment: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...environment },
  });
  const gone = once(child, 'exit');
  const end = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await gone;
  };
  leftovers.add(end);
  const until = performance.now() + READY_SECONDS * 1000;
  while (!(await ready())) {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode} before it served`);
    if (performance.now() > until) throw new Error(`${program} did not serve within ${READY_SECONDS} s`);
    await pause(LOOK_EVERY_MS);
  }
  return { end };
}

/** Whether an NBD server answers there. */
export async function nbdAnswers(uri: string): Promise<boolean> {
  return run('nbdinfo', ['--size', uri]).then(
    () => true,
    () => false,
  );
}

/** A loopback port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
