import { Seconds } from '#platform/http/fields';

const MAX_WAIT_SECONDS = 60;

export class GetJobRequest {
  @Seconds({
    about: "answer when the job ends, or after so long as it is then; not at all when it isn't given",
    max: MAX_WAIT_SECONDS,
    optional: true,
    example: '30s',
  })
  readonly wait?: number;
}
