import { Shown } from '#platform/http/answer-fields';

/** The contract's answer (contract-a 4). */
export class LogInResponse {
  @Shown.always(true, 'a failed login is a refusal') success: true;
  @Shown.text('for the header Authorization: Bearer') session_token: string;
  @Shown.moment('until when the token holds') expires_at: string;
}
