import { Shown } from '#platform/http/answer-fields';

export class LogOutResponse {
  @Shown.always(true, 'the token holds no longer') success: true;
}
