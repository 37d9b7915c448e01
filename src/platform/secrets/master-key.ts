import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { codeOf } from '#platform/database/error-code';
import { newId } from '#platform/ids/ids';
import { fsyncPath } from '#platform/repositories/durable-file';
import { Misfit } from '#platform/start/cannot-start';

import { KEY_BYTES } from './sealing.js';

/** The vault was made with a key that isn't here: another one would only hide that. */
class MissingKey extends Misfit {
  constructor(file: string) {
    super(`the vault was made with a master key that isn't here; give it in OMA_MASTER_KEY, or put it back as ${file}`);
  }
}

/** The file holds no key. */
class UnusableKey extends Misfit {}

/**
 * The key that opens the vault: `given` as 64 hexadecimal digits, or from the file `master-key` in the data folder, which
 * is made (mode 0600) when there is none. Throws MissingKey when none may be made, UnusableKey when the
 * file holds something else.
 */
export async function masterKey(
  dataDir: string,
  given: string | undefined,
  mayMake: () => Promise<boolean>,
): Promise<Buffer> {
  if (given !== undefined) return Buffer.from(given, 'hex');
  const file = join(dataDir, 'master-key');
  const existing = await contentOf(file);
  if (existing === null) {
    if (!(await mayMake())) throw new MissingKey(file);
    await create(dataDir, file);
  }
  const key = Buffer.from((existing ?? (await readFile(file, 'utf8'))).trim(), 'hex');
  if (key.byteLength !== KEY_BYTES) throw new UnusableKey(`${file} must hold ${KEY_BYTES * 2} hexadecimal digits`);
  return key;
}

/** Null when there is no such file: one that can't be read may hold the key that is wanted. */
async function contentOf(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw new UnusableKey(`${file} can't be read (${String(codeOf(error))})`);
  }
}

/**
 * Whole or not at all, and never over a key that somebody made at the same moment. It is on the disk, under its name, before
 * anything is sealed with it.
 */
async function create(dataDir: string, file: string): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const draft = `${file}.${newId()}`;
  try {
    await writeFile(draft, `${randomBytes(KEY_BYTES).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
    await link(draft, file);
    await fsyncPath(dataDir);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
