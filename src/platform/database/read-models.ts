import { DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';

const CONNECTIONS = 10;

/** TypeORM on the views that the projections keep. It reads; it never changes the schema. */
export async function openReadModels(
  url: string,
  entities: readonly EntityTarget<ObjectLiteral>[],
): Promise<DataSource> {
  const source = new DataSource({
    type: 'postgres',
    // The whole address is for `pg`: TypeORM's own reading of it loses the socket's folder.
    extra: { connectionString: url },
    entities: [...entities] as never,
    synchronize: false,
    logging: false,
    poolSize: CONNECTIONS,
    applicationName: 'oma read models',
  });
  return source.initialize();
}
