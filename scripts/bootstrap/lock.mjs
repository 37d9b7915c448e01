import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Runs `work` while no other set-up works in this folder; waits for its turn. The lock is the name of an abstract socket:
 * the kernel gives it to one process and takes it back however that process ends, so there is never a stale one.
 */
export async function alone(work) {
  const folder = createHash('sha256')
    .update(`${realpathSync('.')} ${process.getuid?.() ?? ''}`)
    .digest('hex');
  const lock = await take(`\0oma-bootstrap-${folder}`);
  try {
    return await work();
  } finally {
    lock.close();
  }
}

async function take(name) {
  for (let told = false; ; told = true) {
    const server = createServer();
    try {
      server.listen(name);
      await once(server, 'listening');
      return server;
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw error;
      if (!told) console.error('Another command is setting up this folder; waiting for it …');
      await pause(200);
    }
  }
}
