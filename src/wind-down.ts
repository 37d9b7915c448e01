import { In } from 'typeorm';

import { backup } from './domain/backup/backup.js';
import type { CommandContext } from './domain/kernel/command-context.js';
import { DomainError } from './domain/kernel/domain-error.js';
import { mount } from './domain/restore/mount.js';
import type { Machinery } from './machinery.js';
import { until } from './platform/clock/until.js';
import { isDatabaseAway } from './platform/database/database-away.js';
import { EventStoreAway } from './platform/event-store/event-store.port.js';
import { newId } from './platform/ids/ids.js';
import type { Logger } from './platform/logging/logger.port.js';
import { BackupRow } from './projections/backup/backup.entity.js';
import { MountRow } from './projections/restore/mount.entity.js';

const WITHIN_MS = 45_000;
const RUNNING = In(['pending', 'running']);
const OPEN = In(['mounting', 'mounted', 'unmounting']);

/**
 * Before a clean stop: backups under way here are cancelled and mounts closed, so that nothing of this instance stays
 * behind. What can't be ended in time is taken up at the next start. Answers how many of them that are.
 */
export async function windDown(machinery: Machinery, logger: Logger): Promise<number> {
  const { aggregates, rows, instances } = machinery;
  // Whose a job is stands in the rows of its steps; while the log is away, those that are there have to do.
  await unlessAway(machinery.knowsSteps());
  const isHere = async (saga: string, id: string) => (await instances.elsewhere(saga, id)) === null;
  const openBackups = async () => {
    const running = (await rows.getRepository(BackupRow).findBy({ status: RUNNING })).map(({ backupId }) => backupId);
    return filtered(running, (id) => isHere('takebackup', id));
  };
  const openMounts = async () => {
    const open = (await rows.getRepository(MountRow).findBy({ status: OPEN })).map(({ mountId }) => mountId);
    return filtered(open, (id) => isHere('restoremount', id));
  };
  /** One that can't be ended keeps nobody from ending the others. */
  const tried = (command: Promise<unknown>) =>
    unlessOver(command).catch((error: unknown) => {
      if (isDatabaseAway(error)) throw error;
      logger.error({ error }, 'a job could not be ended; it is left to the next start');
    });
  for (const jobId of await openBackups()) {
    const command = { type: 'RequestCancel', jobId } as const;
    await tried(aggregates.handle({ decider: backup, stream: `backup-${jobId}`, command, context: asSystem() }));
  }
  for (const mountId of await openMounts()) {
    const command = { type: 'RequestUnmount', mountId, why: 'OMA was stopped' } as const;
    await tried(aggregates.handle({ decider: mount, stream: `mount-${mountId}`, command, context: asSystem() }));
  }
  const left = async () => (await openBackups()).length + (await openMounts()).length;
  await until(async () => ((await left()) === 0 ? true : null), WITHIN_MS);
  return left();
}

async function filtered(ids: readonly string[], test: (id: string) => Promise<boolean>): Promise<readonly string[]> {
  const passed = await Promise.all(ids.map(test));
  return ids.filter((_, index) => passed[index] === true);
}

/** It may have ended by itself meanwhile. */
async function unlessOver(command: Promise<unknown>): Promise<void> {
  await unlessAway(command).catch((error: unknown) => {
    if (!(error instanceof DomainError)) throw error;
  });
}

/** A log that is away keeps nobody from stopping: what couldn't be ended is left to the next start. */
async function unlessAway(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof EventStoreAway)) throw error;
  });
}

function asSystem(): CommandContext {
  const commandId = newId();
  return {
    actor: { kind: 'system', id: 'clean-stop' },
    correlationId: commandId,
    causationId: commandId,
    commandId,
    reason: 'OMA was stopped',
  };
}
