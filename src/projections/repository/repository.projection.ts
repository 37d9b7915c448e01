import type { Projection } from '#domain/kernel/projection';
import type { RepositoryCreated } from '#domain/repository/repository';

export type RepositoryRecord = {
  repository_id: string;
  name: string;
  type: string;
  path: string;
  enabled: boolean;
  is_immutable: boolean;
  min_retention_days: number;
  bandwidth_bytes_per_second: number | null;
  created_at: string;
  updated_at: string;
};

export const repositoryProjection: Projection<RepositoryRecord> = {
  name: 'repository',
  version: 2,
  table: {
    key: 'repository_id',
    columns: {
      repository_id: 'text',
      name: 'text',
      type: 'text',
      path: 'text',
      enabled: 'boolean',
      is_immutable: 'boolean',
      min_retention_days: 'integer',
      bandwidth_bytes_per_second: 'bigint',
      created_at: 'timestamptz',
      updated_at: 'timestamptz',
    },
    indexes: [['name', 'repository_id']],
  },
  handles: ['RepositoryCreated'],
  keysOf: (event) => [(event.data as RepositoryCreated['data']).repositoryId],
  evolve: (_row, event) => {
    const facts = event.data as RepositoryCreated['data'];
    const at = event.recordedAt.toISOString();
    return {
      repository_id: facts.repositoryId,
      name: facts.name,
      type: facts.type,
      path: facts.path,
      enabled: facts.enabled,
      is_immutable: facts.isImmutable,
      min_retention_days: facts.minRetentionDays,
      bandwidth_bytes_per_second: facts.bandwidthBytesPerSecond ?? null,
      created_at: at,
      updated_at: at,
    };
  },
};
