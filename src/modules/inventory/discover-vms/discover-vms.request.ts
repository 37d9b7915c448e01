import { Flag, Text, TextList } from '#platform/http/fields';

import { AccountRequest } from '../account.request.js';

export class DiscoverVmsRequest extends AccountRequest {
  @Text({ about: 'parts of names, separated by commas; case says nothing', optional: true })
  readonly filter?: string;

  @TextList({ about: 'with create_context: only these (inventory paths, VMware ids or names)', optional: true })
  readonly selected_vms?: string[];

  @Flag({ about: 'add what was discovered', optional: true })
  readonly create_context: boolean = false;
}
