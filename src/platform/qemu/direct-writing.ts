import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * Whether the file's filesystem takes writes that pass by the page cache (open(2), O_DIRECT). Throws what else opening the
 * file for writing throws.
 */
export async function canWriteDirectly(file: string): Promise<boolean> {
  try {
    const handle = await open(file, constants.O_RDWR | constants.O_DIRECT);
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') return false;
    throw error;
  }
}
