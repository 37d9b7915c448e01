import { Flag, Text } from '#platform/http/fields';
import { PageRequest } from '#platform/http/paging';

export class ListRepositoriesRequest extends PageRequest {
  @Text({ about: 'only this type', max: 32, optional: true })
  readonly type?: string;

  @Flag({ about: 'only enabled or only disabled ones', optional: true, inQuery: true })
  readonly enabled?: boolean;
}
