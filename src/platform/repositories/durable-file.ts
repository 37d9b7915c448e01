import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Waits until a file's content, or a folder's list of names, has reached the disk. */
export async function fsyncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Puts a finished file at its name, durable in content and name. */
export async function publish(partial: string, path: string): Promise<void> {
  await fsyncPath(partial);
  await rename(partial, path);
  await fsyncPath(dirname(path));
}

/** Writes a small file whole or not at all; readable by the owner only. */
export async function writeDurably(path: string, content: string): Promise<void> {
  const partial = `${path}.part`;
  const handle = await open(partial, 'w', 0o600);
  try {
    await handle.writeFile(content);
  } finally {
    await handle.close();
  }
  await publish(partial, path);
}
