import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { Misfit } from '#platform/start/cannot-start';

import { codeOf } from './error-code.js';
import { startTicksOf } from './process-table.js';

/** The data folder belongs to another running OMA. */
export class DataDirInUse extends Error {
  override readonly name = 'DataDirInUse';

  constructor(dataDir: string, pid: number) {
    super(
      `another OMA (process ${pid}) is using the data folder ${dataDir}; stop it first, or set OMA_DATA_DIR to another folder`,
    );
  }
}

/**
 * One OMA per data folder: `oma.lock` holds the pid and start time of its owner, so a lock left by a killed process, even
 * one whose pid was given to another program, is taken over.
 *
 * Each dead owner can be succeeded once: a successor first creates the file named after it, then looks whether the chain
 * it followed is still the same. Two that start together after a crash therefore can't both get in.
 */
export class InstanceLock {
  private constructor(
    private readonly path: string,
    private readonly owner: string,
  ) {}

  /**
   * Throws DataDirInUse at once when a living process holds the folder. The folder is made when it is missing; throws Misfit
   * when it can't be.
   */
  static take(dataDir: string): InstanceLock {
    make(dataDir);
    const path = join(dataDir, 'oma.lock');
    const owner = `${process.pid} ${startTicksOf(process.pid) ?? 0} ${randomBytes(6).toString('hex')}`;
    const draft = `${path}.${randomBytes(6).toString('hex')}`;
    try {
      writeFileSync(draft, owner, { mode: 0o600 });
      while (!succeed(dataDir, path, draft));
    } finally {
      rmSync(draft, { force: true });
    }
    return new InstanceLock(path, owner);
  }

  release(): void {
    if (ownerIn(this.path) === this.owner) rmSync(this.path, { force: true });
  }
}

function make(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Misfit(`the data folder ${dataDir} can't be made (${String(codeOf(error))}); see OMA_DATA_DIR`);
  }
}

/** False when somebody else changed the chain meanwhile and it must be read again. */
function succeed(dataDir: string, path: string, draft: string): boolean {
  const dead: { file: string; owner: string }[] = [];
  let file = path;
  while (!created(file, draft)) {
    const owner = ownerIn(file);
    if (owner === undefined) return false;
    const [pid = 0, startTicks] = owner.split(' ').map(Number);
    if (startTicksOf(pid) === startTicks) throw new DataDirInUse(dataDir, pid);
    dead.push({ file, owner });
    file = `${path}.after-${owner.replaceAll(' ', '-')}`;
  }
  if (dead.some((link) => ownerIn(link.file) !== link.owner)) {
    rmSync(file);
    return false;
  }
  if (dead.length > 0) {
    renameSync(draft, path);
    for (const link of [...dead.slice(1), { file }]) rmSync(link.file, { force: true });
  }
  return true;
}

function created(file: string, draft: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function ownerIn(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
