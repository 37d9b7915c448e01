import { Shown } from '#platform/http/answer-fields';

export class HealthResponse {
  @Shown.always('healthy', 'whatever else it is, is a refusal') status: 'healthy';
}

export class ReadyResponse {
  @Shown.always('ready', 'whatever else it is, is a refusal') status: 'ready';
}
