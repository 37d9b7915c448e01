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
  created_at: string;
  updated_at: string;
};

export const repositoryProjection: Projection<RepositoryRecord> = {
  name: 'repository',
  version: 1,
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
      created_at: at,
      updated_at: at,
    };
  },
};
