import { Shown } from '#platform/http/answer-fields';

export class HealthResponse {
  @Shown.always('healthy', 'whatever else it is, is a refusal') status: 'healthy';
}
