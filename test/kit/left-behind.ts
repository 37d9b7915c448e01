import { readdirSync, readFileSync } from 'node:fs';

/** What of a folder is still alive: processes that name it in their arguments, mounts beneath it. */
export function leftBehind(folder: string): readonly string[] {
  return [...processesNaming(folder), ...mountsBeneath(folder)];
}

/** Images and sidecars in a repository, whole or half. */
export function filesOfBackups(repositoryPath: string): readonly string[] {
  const names = readdirSync(repositoryPath, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /\.(qcow2|json|tmp|part|manifest)/.test(name));
}

function processesNaming(folder: string): readonly string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && entry !== String(process.pid))
    .flatMap((pid) => {
      const command = commandOf(pid);
      return /^\S*(qemu-nbd|nbdfuse|fuse2fs|node)\s/.test(command) && command.includes(`${folder}/`)
        ? [`process ${pid}: ${command}`]
        : [];
    });
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function mountsBeneath(folder: string): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((place) => place.startsWith(`${folder}/`))
    .map((place) => `mount ${place}`);
}
