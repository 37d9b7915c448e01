import { MalformedRequest } from '#platform/http/edge.errors';
import { Text, Whole } from '#platform/http/fields';

import type { Account } from './discovery.js';

const MAX_CREDENTIAL = 2_147_483_647;

/** With which account to look: a stored one, or four fields that are used for this call and kept nowhere. */
export class AccountRequest {
  @Whole({ about: 'a stored credential; wins over the four fields', min: 1, max: MAX_CREDENTIAL, optional: true })
  readonly credential_id?: number;

  @Text({ about: 'host of the vCenter', max: 255, optional: true })
  readonly vcenter?: string;

  @Text({ about: 'account', max: 255, optional: true })
  readonly username?: string;

  @Text({ about: 'its password', optional: true })
  readonly password?: string;

  @Text({ about: 'datacenter', max: 255, optional: true })
  readonly datacenter?: string;
}

/** Throws MalformedRequest naming what is missing. */
export function accountOf(request: AccountRequest): Account {
  const { credential_id: credentialId, vcenter, username, password, datacenter } = request;
  if (credentialId !== undefined) return { credentialId };
  if (vcenter !== undefined && username !== undefined && password !== undefined && datacenter !== undefined) {
    return { vcenterHost: vcenter, username, password, datacenter };
  }
  const missing = Object.entries({ vcenter, username, password, datacenter }).filter(
    ([, value]) => value === undefined,
  );
  throw new MalformedRequest(
    missing.map(([field]) => ({ field, message: 'is needed where no credential_id is given' })),
  );
}
