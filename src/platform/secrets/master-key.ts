import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { newId } from '#platform/ids/ids';
import { Misfit } from '#platform/start/cannot-start';

import { KEY_BYTES } from './sealing.js';

/** The vault was made with a key that isn't here: another one would only hide that. */
class MissingKey extends Misfit {
  constructor(file: string) {
    super(`the vault was made with another master key; start with that one (OMA_MASTER_KEY or the file ${file})`);
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
  const existing = await readFile(file, 'utf8').catch(() => null);
  if (existing === null) {
    if (!(await mayMake())) throw new MissingKey(file);
    await create(dataDir, file);
  }
  const key = Buffer.from((existing ?? (await readFile(file, 'utf8'))).trim(), 'hex');
  if (key.byteLength !== KEY_BYTES) throw new UnusableKey(`${file} must hold ${KEY_BYTES * 2} hexadecimal digits`);
  return key;
}

/** Whole or not at all, and never over a key that somebody made at the same moment. */
async function create(dataDir: string, file: string): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const draft = `${file}.${newId()}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${randomBytes(KEY_BYTES).toString('hex')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await link(draft, file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
  await rm(draft);
}
