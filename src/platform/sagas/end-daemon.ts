import { DaemonHangs, type DaemonIdentity, type ProcessRunner } from '#platform/processes/process-runner.port';

import { EffectError } from './effect.port.js';

/** Ends a daemon as a step of a job, and says in the user's words when nobody can. */
export async function endDaemon(
  runner: ProcessRunner,
  daemon: DaemonIdentity,
  graceSeconds: number,
): Promise<{ readonly exitCode: number | null; readonly killed: boolean }> {
  try {
    return await runner.stopDaemon(daemon, graceSeconds);
  } catch (error) {
    if (!(error instanceof DaemonHangs)) throw error;
    const failure = {
      code: 'storage-hangs',
      message: 'a process was killed and does not end: it waits for storage that hangs',
      remedy: 'bring the storage of the repository back; the process ends by itself then',
    };
    throw new EffectError('transient', failure, { cause: error });
  }
}
