import { type FileHandle, open, rename, rm } from 'node:fs/promises';
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

/** A new file beside the one it will become. What was left there goes, and a link there is replaced, not followed. */
export async function openPart(path: string): Promise<{ readonly partial: string; readonly handle: FileHandle }> {
  const partial = `${path}.part`;
  await rm(partial, { force: true });
  return { partial, handle: await open(partial, 'wx', 0o600) };
}

/** Writes a small file whole or not at all; readable by the owner only. */
export async function writeDurably(path: string, content: string): Promise<void> {
  const { partial, handle } = await openPart(path);
  try {
    await handle.writeFile(content);
  } finally {
    await handle.close();
  }
  await publish(partial, path);
}
