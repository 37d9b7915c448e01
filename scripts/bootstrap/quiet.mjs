import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

/** Runs a program and keeps what it says for the case that it fails. A missing program answers with exit code null. */
export function quietly(program, args, environment = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    }
    const release = endedWithUs(child);
    const done = (exitCode, said) => {
      release();
      resolve({ exitCode, output: said.trim() });
    };
    child.once('error', (error) => done(null, error.message));
    child.once('close', (exitCode) => done(exitCode, output));
  });
}

/** A signal that ends this process ends the program too: a second set-up must not meet the first one's program. */
function endedWithUs(child) {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const end = (signal) => {
    child.kill(signal);
    child.once('close', () => process.exit(1));
  };
  for (const signal of signals) process.once(signal, end);
  return () => {
    for (const signal of signals) process.removeListener(signal, end);
  };
}

/** Tells what is being done and, when it is done, how long it took. */
export async function step(what, work) {
  const begin = performance.now();
  process.stderr.write(`${what} …`);
  const result = await work().finally(() => {
    process.stderr.write(` ${((performance.now() - begin) / 1000).toFixed(0)} s\n`);
  });
  return result;
}
