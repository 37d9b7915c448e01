import { Shown } from '#platform/http/answer-fields';

export class VerificationStartedResponse {
  @Shown.text('the job to watch') job_id: string;
  @Shown.text('the restore point that is read') backup_id: string;
}
