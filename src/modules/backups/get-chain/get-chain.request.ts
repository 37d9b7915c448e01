import { Text, Whole } from '#platform/http/fields';

const MAX_DISK = 65_535;

export class GetChainRequest {
  @Text({ about: 'the VM; this or vm_name', max: 128, optional: true })
  readonly vm_context_id?: string;

  @Text({ about: 'the VM by name, VMware id or context id', optional: true })
  readonly vm_name?: string;

  @Whole({ about: 'which disk; 0 by default', min: 0, max: MAX_DISK, inQuery: true, optional: true })
  readonly disk_id: number = 0;

  @Text({ about: 'only in this repository', max: 128, optional: true })
  readonly repository_id?: string;

  @Text({ about: 'this chain and not the newest', max: 256, optional: true })
  readonly chain_id?: string;
}
