import { Flag, Text } from '#platform/http/fields';

export class CreateCredentialRequest {
  @Text({ about: 'name, unique without regard to case', max: 255, example: 'main vCenter' })
  readonly credential_name: string;

  @Text({ about: 'host name or address of the vCenter', max: 255, example: 'vcenter.example.org' })
  readonly vcenter_host: string;

  @Text({ about: 'account', max: 255, example: 'backup@vsphere.local' })
  readonly username: string;

  @Text({ about: 'goes into the vault and is never answered' })
  readonly password: string;

  @Text({ about: 'datacenter that is looked at', max: 255, example: 'DC1' })
  readonly datacenter: string;

  @Flag({ about: 'true by default; inactive ones are not used', optional: true })
  readonly is_active: boolean = true;

  @Flag({ about: 'use it when none is named; the first active one becomes the default', optional: true })
  readonly is_default: boolean = false;
}
