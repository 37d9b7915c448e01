import { createHash } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** What has this name is a pipe, a folder or something else that holds no bytes of its own. */
export class NotAFile extends Error {
  override readonly name = 'NotAFile';
}

/** Opens a regular file and nothing else: no link is followed, and a pipe keeps nobody waiting. Throws NotAFile, or as the system says it. */
export async function openRegular(file: string): Promise<FileHandle> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new NotAFile('this is no regular file');
}

/** An open file's bytes from the first one; the file stays open. */
export function fromItsStart(handle: FileHandle): Readable {
  return handle.createReadStream({ start: 0, autoClose: false });
}

/** SHA-256 of an open file's bytes in hexadecimal, read as a stream. */
export async function sha256Of(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(fromItsStart(handle), hash);
  return hash.digest('hex');
}

/** SHA-256 of a regular file's bytes in hexadecimal. Throws as openRegular does. */
export async function sha256OfFile(file: string): Promise<string> {
  const handle = await openRegular(file);
  try {
    return await sha256Of(handle);
  } finally {
    await handle.close();
  }
}
