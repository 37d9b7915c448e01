import { DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';

import type { Database } from './database.js';
import { PreparingClient } from './preparing-client.js';

const CONNECTIONS = 10;

/** TypeORM on the views that the projections keep. It reads; it never changes the schema. */
export async function openReadModels(
  database: Database,
  entities: readonly EntityTarget<ObjectLiteral>[],
): Promise<DataSource> {
  const source = new DataSource({
    type: 'postgres',
    // The whole address is for `pg`: TypeORM's own reading of it loses the socket's folder.
    extra: { ...database.connecting, Client: PreparingClient },
    entities: [...entities] as never,
    synchronize: false,
    logging: false,
    poolSize: CONNECTIONS,
    applicationName: 'oma read models',
  });
  await source.initialize();
  // TypeORM takes rows of a view for the same when all their columns are equal, and writes every JSON of every row to find out.
  for (const metadata of source.entityMetadatas) if (metadata.tableType === 'view') metadata.tableType = 'regular';
  return source;
}
