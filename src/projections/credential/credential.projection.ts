import type { CredentialCreated, CredentialFacts } from '#domain/credential/credential';
import type { DefaultCredentialChosen } from '#domain/credential/default-credential';
import { folded } from '#domain/kernel/folded';
import type { Projection } from '#domain/kernel/projection';

export type CredentialRecord = {
  id: string;
  credential_id: number;
  credential_name: string;
  /** For comparing names; see `folded`. */
  name_key: string;
  vcenter_host: string;
  username: string;
  datacenter: string;
  is_active: boolean;
  is_default: boolean;
  secret_ref: string;
  created_by: string;
  created_at: string;
  updated_at: string;
};

export const credentialProjection: Projection<CredentialRecord> = {
  name: 'credential',
  version: 1,
  table: {
    key: 'id',
    columns: {
      id: 'text',
      credential_id: 'integer',
      credential_name: 'text',
      name_key: 'text',
      vcenter_host: 'text',
      username: 'text',
      datacenter: 'text',
      is_active: 'boolean',
      is_default: 'boolean',
      secret_ref: 'text',
      created_by: 'text',
      created_at: 'timestamptz',
      updated_at: 'timestamptz',
    },
    indexes: [['credential_id'], ['name_key']],
  },
  handles: ['CredentialCreated', 'DefaultCredentialChosen'],
  keysOf: (stored) => {
    const { type, data } = stored as unknown as CredentialCreated | DefaultCredentialChosen;
    if (type === 'CredentialCreated') return [data.id];
    return data.previousId === null ? [data.id] : [data.previousId, data.id];
  },
  evolve: (row, stored, key) => {
    const event = stored as unknown as CredentialCreated | DefaultCredentialChosen;
    const at = stored.recordedAt.toISOString();
    switch (event.type) {
      case 'CredentialCreated':
        return created(event.data, at);
      case 'DefaultCredentialChosen':
        return row === null ? null : { ...row, is_default: event.data.id === key, updated_at: at };
    }
  },
};

function created(facts: CredentialFacts, at: string): CredentialRecord {
  return {
    id: facts.id,
    credential_id: facts.credentialNumber,
    credential_name: facts.name,
    name_key: folded(facts.name),
    vcenter_host: facts.vcenterHost,
    username: facts.username,
    datacenter: facts.datacenter,
    is_active: facts.isActive,
    is_default: false,
    secret_ref: facts.secretRef,
    created_by: facts.createdBy,
    created_at: at,
    updated_at: at,
  };
}
