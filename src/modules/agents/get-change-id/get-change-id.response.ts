import { Shown } from '#platform/http/answer-fields';

/** The contract's answer (contract-c 5.9). */
export class BaseChangeIdResponse {
  @Shown.text('as the agent named it') vm_name: string;
  @Shown.text('a number inside a string') disk_id: string;
  @Shown.text('copy what changed since; empty when everything is to be copied') change_id: string;
  @Shown.text('the open job; left out when there is none', { optional: true }) backup_job_id?: string;
  @Shown.text('the same in words') message: string;
}
