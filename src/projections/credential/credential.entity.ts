import { ViewColumn, ViewEntity } from 'typeorm';

/** A vCenter credential without its password. */
@ViewEntity({ name: 'credential', synchronize: false })
export class CredentialRow {
  @ViewColumn()
  readonly id: string;

  @ViewColumn({ name: 'credential_id' })
  readonly credentialId: number;

  @ViewColumn({ name: 'credential_name' })
  readonly name: string;

  @ViewColumn({ name: 'name_key' })
  readonly nameKey: string;

  @ViewColumn({ name: 'vcenter_host' })
  readonly vcenterHost: string;

  @ViewColumn()
  readonly username: string;

  @ViewColumn()
  readonly datacenter: string;

  @ViewColumn({ name: 'is_active' })
  readonly isActive: boolean;

  @ViewColumn({ name: 'is_default' })
  readonly isDefault: boolean;

  @ViewColumn({ name: 'secret_ref' })
  readonly secretRef: string;

  @ViewColumn({ name: 'created_by' })
  readonly createdBy: string;

  @ViewColumn({ name: 'created_at' })
  readonly createdAt: Date;

  @ViewColumn({ name: 'updated_at' })
  readonly updatedAt: Date;
}
