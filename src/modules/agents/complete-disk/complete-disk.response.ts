import { Shown } from '#platform/http/answer-fields';

/** The contract's answer (contract-c 5.8). */
export class DiskCompletedResponse {
  @Shown.always('completed', 'of the contract') status: 'completed';
  @Shown.text('as the agent named it') backup_id: string;
  @Shown.text('what was taken down') change_id: string;
  @Shown.text('the same in words') message: string;
  @Shown.moment('when it was taken down') timestamp: string;
}
