import { OneOf, Text } from '#platform/http/fields';
import { ROLES, ROLES_OF_USERS, type Role } from '#platform/http/access';

export class CreateUserRequest {
  @Text({ about: 'how the user logs in; neither case nor accents make it another name', max: 128 })
  readonly username: string;

  @Text({ about: 'the password', min: 12, max: 1024 })
  readonly password: string;

  @OneOf({ about: 'what the user may do', of: ROLES, offered: ROLES_OF_USERS })
  readonly role: Role;
}
