import { Text } from '#platform/http/fields';

export class LogInRequest {
  @Text({ about: 'the first one is `admin`', max: 128 })
  readonly username: string;

  @Text({ about: 'the password', max: 1024 })
  readonly password: string;
}
