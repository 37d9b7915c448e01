// A folder with a PostgreSQL that lives as long as a test run.
//   node scripts/throwaway.mjs watch PID FOLDER    removes both when that process is gone, however it ended
//   node scripts/throwaway.mjs remove FOLDER       removes both now
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

// A process that ended but wasn't waited for yet (Z) counts as gone: its parent may be waiting for this program.
function alive(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

function postmasterIn(folder) {
  try {
    return Number(readFileSync(join(folder, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  } catch {
    return 0;
  }
}

async function remove(folder) {
  const pid = postmasterIn(folder);
  if (pid > 0 && alive(pid)) {
    process.kill(pid, 'SIGQUIT');
    for (let waited = 0; alive(pid) && waited < 10_000; waited += 20) await pause(20);
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

const [task, ...rest] = process.argv.slice(2);
if (task === 'watch') {
  const [owner, folder] = rest;
  while (alive(Number(owner))) await pause(500);
  await remove(folder);
} else if (task === 'remove') {
  await remove(rest[0]);
} else {
  console.error('usage: node scripts/throwaway.mjs watch PID FOLDER | remove FOLDER');
  process.exitCode = 2;
}
