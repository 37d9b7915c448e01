import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { validate } from 'uuid';

import { newId } from '#platform/ids/ids';
import { writeDurably } from '#platform/repositories/durable-file';

/** Who one start of OMA is. */
export interface InstanceIdentity {
  /** Of the data folder: the same at every start, so that what was begun there is found again. */
  readonly instanceId: string;
  /** Of this start: whoever started earlier under the same instance id is somebody else, and dead. */
  readonly startId: string;
}

/** The identity of a new start in a data folder, which nobody else may be using. The folder is given an id at its first start. */
export async function newStartIn(dataDir: string): Promise<InstanceIdentity> {
  const file = join(dataDir, 'instance-id');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  // Nobody else uses the folder, and a disk that is full must leave no half of an id for the next start.
  if (!existsSync(file)) await writeDurably(file, `${newId()}\n`);
  const instanceId = (await readFile(file, 'utf8')).trim();
  if (!validate(instanceId)) throw new Error(`${file} must hold a UUID; remove it, and the next start makes another`);
  return { instanceId, startId: newId() };
}
