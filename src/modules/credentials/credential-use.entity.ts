import { Column, Entity, PrimaryColumn } from 'typeorm';

/** How often and when a credential's password was last taken out of the vault. */
@Entity('credential_use', { synchronize: false })
export class CredentialUseRow {
  @PrimaryColumn('integer', { name: 'credential_id' })
  readonly credentialId: number;

  @Column('integer', { name: 'usage_count' })
  readonly usageCount: number;

  @Column('timestamptz', { name: 'last_used' })
  readonly lastUsed: Date;
}
