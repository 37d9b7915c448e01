import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { writeDurably } from '#platform/repositories/durable-file';

import { FirstPassword } from './first-password.port.js';

const PASSWORD_BYTES = 18;

/**
 * The password that was given (OMA_ADMIN_PASSWORD), or a random one: shown once when somebody looks at a terminal, else
 * left in the file `admin-password` (mode 0600) of the data folder, whose name is told.
 */
export class GeneratedFirstPassword extends FirstPassword {
  constructor(
    private readonly given: string | undefined,
    private readonly dataDir: string,
    private readonly terminal: { readonly isTerminal: boolean; readonly say: (line: string) => void },
  ) {
    super();
  }

  async choose(store: (password: string) => Promise<boolean>): Promise<void> {
    if (this.given !== undefined) {
      await store(this.given);
      return;
    }
    const password = randomBytes(PASSWORD_BYTES).toString('base64url');
    const file = join(this.dataDir, 'admin-password');
    // The file comes first: a crash in between leaves a file that doesn't fit, which the next start replaces, whoever could read it.
    if (!this.terminal.isTerminal) await writeDurably(file, `${password}\n`);
    if (!(await store(password))) {
      // Another instance that started at the same moment was faster: its password counts.
      if (!this.terminal.isTerminal) await rm(file, { force: true });
      return;
    }
    this.terminal.say(
      this.terminal.isTerminal
        ? `The first user is admin, the password (shown this once): ${password}`
        : `The first user is admin; the password is in ${file}`,
    );
  }
}
