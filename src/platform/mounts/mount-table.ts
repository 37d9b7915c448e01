import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Where something is mounted, the newest last; no path holds a link. Read from the kernel's list: looking into a mount whose process hangs would
 * block a thread of this process for as long.
 */
export async function mountPoints(): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'latin1')).split('\n');
  return lines.flatMap((line) => {
    const place = line.split(' ')[4];
    return place === undefined ? [] : [unescaped(place)];
  });
}

export async function isMounted(place: string): Promise<boolean> {
  const folder = await realpath(dirname(place)).catch(() => null);
  return folder !== null && (await mountPoints()).includes(join(folder, basename(place)));
}

/** The kernel writes blanks, tabs, newlines and backslashes of a path as octal numbers. */
function unescaped(place: string): string {
  const bytes = place.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
