import { Text, TextList } from '#platform/http/fields';

import { AccountRequest } from '../account.request.js';

export class AddVmsRequest extends AccountRequest {
  @TextList({ about: 'inventory paths, VMware ids or names', min: 1 })
  readonly vm_names: string[];

  @Text({ about: 'ignored: the token says who adds', optional: true })
  readonly added_by?: string;
}
