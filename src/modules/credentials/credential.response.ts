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

/** How often a password was taken out of the vault. */
export interface CredentialUse {
  readonly usageCount: number;
  readonly lastUsed: Date;
}

/** The contract's `Cred` (contract-a 12). There is no password in it. */
export interface CredentialResponse {
  id: number;
  credential_name: string;
  vcenter_host: string;
  username: string;
  datacenter: string;
  is_active: boolean;
  is_default: boolean;
  created_at: string;
  updated_at: string;
  created_by: string;
  last_used: string | null;
  usage_count: number;
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
    last_used: use?.lastUsed.toISOString() ?? null,
    usage_count: use?.usageCount ?? 0,
  };
}
