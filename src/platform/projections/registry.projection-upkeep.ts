import type { Database } from '#platform/database/database';
import type { EventStore } from '#platform/event-store/event-store.port';

import { checkOf, type CheckStatus, requestCheck } from './check-log.js';
import { addDeadLetter } from './dead-letters.js';
import { selectionOf } from './pages.js';
import type { WhichBuild } from './projection-progress.port.js';
import { ProjectionUpkeep } from './projection-upkeep.port.js';
import { registered } from './registry.js';
import { cancelRebuild, requestRebuild, retryStopped } from './requests.js';
import type { AnyProjection } from './tables.js';

/** Says it in the registry, which every instance looks at. */
export class RegistryProjectionUpkeep extends ProjectionUpkeep {
  constructor(
    private readonly database: Database,
    private readonly store: EventStore,
    private readonly projections: readonly AnyProjection[],
    /** Tells whoever works here that there may be something to do. */
    private readonly onRequest: () => void = () => undefined,
  ) {
    super();
  }

  async rebuild(name: string): Promise<number | null> {
    return this.told(requestRebuild(this.database, this.named(name)));
  }

  async cancel(name: string, build: WhichBuild): Promise<boolean> {
    return this.told(cancelRebuild(this.database, this.named(name), build));
  }

  async retry(name: string): Promise<boolean> {
    return this.told(retryStopped(this.database, this.named(name)));
  }

  async skip(
    name: string,
    eventId: string,
    { actor, reason }: { readonly actor: string; readonly reason: string },
  ): Promise<boolean> {
    const projection = this.named(name);
    const skipped = await this.database.transaction(async (sql) => {
      const condition = `name = $1 and version = $2 and status = 'stopped' and stopped_event_id = $3 for update`;
      const [stopped] = await registered(sql, condition, [name, projection.version, eventId]);
      if (stopped === undefined) return false;
      const position = await this.positionOf(projection, stopped.position, eventId);
      if (position === null) return false;
      await addDeadLetter(sql, projection, { eventId, error: stopped.error ?? '', actor, reason });
      await sql.query(
        `update projection set position = $4, status = case when live then 'running' else 'building' end, error = null,
                stopped_event_id = null, updated_at = now()
          where name = $1 and version = $2 and generation = $3`,
        [name, stopped.version, stopped.generation, position],
      );
      return true;
    });
    return this.told(Promise.resolve(skipped));
  }

  async verify(name: string, id: string): Promise<CheckStatus> {
    return this.told(requestCheck(this.database, this.named(name), id));
  }

  async check(id: string): Promise<CheckStatus | null> {
    return checkOf(this.database, id);
  }

  /** It is the first that the projection handles after what it did handle. */
  private async positionOf(projection: AnyProjection, after: string, eventId: string): Promise<string | null> {
    for await (const event of this.store.readAll({ after, limit: 1, ...selectionOf(projection) })) {
      if (event.id === eventId) return event.position;
    }
    return null;
  }

  private named(name: string): AnyProjection {
    const projection = this.projections.find((one) => one.name === name);
    if (projection === undefined) throw new Error(`there is no projection ${name}`);
    return projection;
  }

  private async told<Result>(request: Promise<Result>): Promise<Result> {
    const result = await request;
    this.onRequest();
    return result;
  }
}
