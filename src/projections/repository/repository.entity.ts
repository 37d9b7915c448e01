import { ViewColumn, ViewEntity } from 'typeorm';

/** A place for backups. */
@ViewEntity({ name: 'repository', synchronize: false })
export class RepositoryRow {
  @ViewColumn({ name: 'repository_id' })
  readonly repositoryId: string;

  @ViewColumn()
  readonly name: string;

  @ViewColumn()
  readonly type: string;

  @ViewColumn()
  readonly path: string;

  @ViewColumn()
  readonly enabled: boolean;

  @ViewColumn({ name: 'is_immutable' })
  readonly isImmutable: boolean;

  @ViewColumn({ name: 'min_retention_days' })
  readonly minRetentionDays: number;

  @ViewColumn({
    name: 'bandwidth_bytes_per_second',
    transformer: { from: (value: string | null) => (value === null ? null : Number(value)), to: String },
  })
  readonly bandwidthBytesPerSecond: number | null;

  @ViewColumn({ name: 'created_at' })
  readonly createdAt: Date;

  @ViewColumn({ name: 'updated_at' })
  readonly updatedAt: Date;
}
