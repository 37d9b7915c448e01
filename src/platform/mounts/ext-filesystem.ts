import type { ProcessRunner } from '#platform/processes/process-runner.port';

const LOOK_SECONDS = 60;
const REPLAY_SECONDS = 600;

/** What the superblock says about the journal. */
export type ExtJournal = 'clean' | 'needs-replay' | 'elsewhere';

/** Reads the superblock of the ext filesystem at `offsetBytes` of `disk`; null when it makes no sense. */
export async function extJournal(
  runner: ProcessRunner,
  disk: string,
  offsetBytes: number,
  signal: AbortSignal,
): Promise<ExtJournal | null> {
  const answer = await runner.run({
    program: 'dumpe2fs',
    args: ['-h', '--', `${disk}?offset=${offsetBytes}`],
    timeoutSeconds: LOOK_SECONDS,
    signal,
  });
  const features = /^Filesystem features:(.*)$/m.exec(answer.stdout)?.[1]?.trim().split(/\s+/);
  if (answer.exitCode !== 0 || features === undefined) return null;
  // A header that names another device as its journal would make e2fsck look for that device on this machine.
  if (/^Journal (UUID|device):/m.test(answer.stdout)) return 'elsewhere';
  return features.includes('needs_recovery') ? 'needs-replay' : 'clean';
}

/** Writes what the journal of the filesystem in `file` holds to its places, and nothing else. False when that didn't work. */
export async function replayJournal(runner: ProcessRunner, file: string, signal: AbortSignal): Promise<boolean> {
  const answer = await runner.run({
    program: 'e2fsck',
    args: ['-p', '-E', 'journal_only', '--', file],
    timeoutSeconds: REPLAY_SECONDS,
    signal,
  });
  return answer.exitCode === 0 || answer.exitCode === 1;
}
