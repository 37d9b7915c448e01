import { Shown } from '#platform/http/answer-fields';
import type { CredentialRow } from '#projections/credential/credential.entity';

/** What a credential's answer needs: the row, or the same facts before the row is there. */
export type ShownCredential = Pick<
  CredentialRow,
  | 'credentialId'
  | 'name'
  | 'vcenterHost'
  | 'username'
  | 'datacenter'
  | 'isActive'
  | 'isDefault'
  | 'createdBy'
  | 'createdAt'
  | 'updatedAt'
>;

/** How often a password was taken out of the vault; null where it never was. */
export interface CredentialUse {
  readonly usageCount: number | null;
  readonly lastUsed: Date | null;
}

/** The contract's `Cred` (contract-a 12). There is no password in it. */
export class CredentialResponse {
  @Shown.whole('its id') id: number;
  @Shown.text('its name') credential_name: string;
  @Shown.text('which vCenter it opens') vcenter_host: string;
  @Shown.text('whom the vCenter knows') username: string;
  @Shown.text('which datacenter of it') datacenter: string;
  @Shown.flag('whether it may be used') is_active: boolean;
  @Shown.flag('whether it is the one to use when none is named') is_default: boolean;
  @Shown.moment('when it was stored') created_at: string;
  @Shown.moment('when it was changed last') updated_at: string;
  @Shown.text('who stored it') created_by: string;
  @Shown.moment('when its password was taken out of the vault last', { nullable: true }) last_used: string | null;
  @Shown.whole('how often its password was taken out of the vault') usage_count: number;
}

export class CredentialsResponse {
  @Shown.list(CredentialResponse, 'all of them') credentials: readonly CredentialResponse[];
  @Shown.whole('how many there are on all pages') count: number;
  @Shown.text('cursor of the next page; null on the last', { nullable: true }) next_cursor: string | null;
  @Shown.always('success', 'of the contract') status: 'success';
}

export class CredentialStoredResponse {
  @Shown.nested(CredentialResponse, 'the credential') credential: CredentialResponse;
  @Shown.always('success', 'of the contract') status: 'success';
  @Shown.text('the same in words') message: string;
}

export function credentialResponse(shown: ShownCredential, use: CredentialUse | undefined): CredentialResponse {
  return {
    id: shown.credentialId,
    credential_name: shown.name,
    vcenter_host: shown.vcenterHost,
    username: shown.username,
    datacenter: shown.datacenter,
    is_active: shown.isActive,
    is_default: shown.isDefault,
    created_at: shown.createdAt.toISOString(),
    updated_at: shown.updatedAt.toISOString(),
    created_by: shown.createdBy,
    last_used: use?.lastUsed?.toISOString() ?? null,
    usage_count: use?.usageCount ?? 0,
  };
}
