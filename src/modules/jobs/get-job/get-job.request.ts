import { Seconds } from '#platform/http/fields';

export class GetJobRequest {
  @Seconds({
    about: "answer when the job ends, or after so long as it is then; not at all when it isn't given",
    optional: true,
    example: '30s',
  })
  readonly wait?: number;
}
