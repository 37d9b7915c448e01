import { Text, Whole } from '#platform/http/fields';

const MAX_DISK = 65_535;

export class GetChangeIdRequest {
  @Text({ about: 'the VM by name, VMware id or context id' })
  readonly vm_name: string;

  @Whole({ about: 'which disk; 0 by default', min: 0, max: MAX_DISK, inQuery: true, optional: true })
  readonly disk_id: number = 0;

  @Text({ about: "the agent's job: needed where several VMs have the name", max: 128, optional: true })
  readonly job_id?: string;
}
