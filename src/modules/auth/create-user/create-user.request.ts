import { OneOf, Text } from '#platform/http/fields';
import { ROLES, type Role } from '#platform/http/access';

export class CreateUserRequest {
  @Text({ about: 'how the user logs in; neither case nor accents make it another name', max: 128 })
  readonly username: string;

  @Text({ about: 'the password', min: 12, max: 1024 })
  readonly password: string;

  @OneOf({ about: 'what the user may do; agent is refused, being the role of appliances', of: ROLES })
  readonly role: Role;
}
