import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A program of OMA's own as built JavaScript, also when the code that asks runs from its sources. */
export function builtProgram(name: string): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return join(folder, 'dist/src/platform', name);
}
