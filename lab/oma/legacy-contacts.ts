import { z } from 'zod';

import type { BackupRun, DiskRun, RunContacts } from '../vma/backup-run.js';
import type { Misbehaviour } from '../vma/misbehaviour.js';
import { completionsOf } from './completions.js';
import type { OmaDoor } from './oma-door.js';

const changeIdAnswer = z.object({ change_id: z.string().min(1) });

/** An agent of old asks OMA where to begin, and hands its change id in before its job ends; it knows no other way. */
export class LegacyContacts implements RunContacts {
  constructor(
    private readonly oma: OmaDoor,
    private readonly misbehaviour: Misbehaviour,
  ) {}

  async askBase(jobId: string, vmName: string): Promise<string | null> {
    const question = new URLSearchParams({ vm_name: vmName, disk_id: String(diskIdOf(jobId)), job_id: jobId });
    const answer = changeIdAnswer.safeParse(await this.oma.ask(`/backups/changeid?${question.toString()}`));
    return answer.success ? answer.data.change_id : null;
  }

  follow(): () => void {
    return () => undefined;
  }

  async completed({ jobId }: BackupRun, { changeId }: DiskRun): Promise<void> {
    if (changeId === null) return;
    for (const { changeId: told, keyShift } of completionsOf(changeId, this.misbehaviour.settings)) {
      const body = { change_id: told, disk_id: diskIdOf(jobId) + keyShift, bytes_transferred: 0 };
      await this.oma.tell(`/backups/${encodeURIComponent(jobId)}/complete`, body);
    }
  }

  abandon(): void {
    this.oma.abandon();
  }
}

/** OMA's number of the disk: the job ids of these agents end with it. */
function diskIdOf(jobId: string): number {
  return Number(/-disk(\d+)$/.exec(jobId)?.[1] ?? 0);
}
