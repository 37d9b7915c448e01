import { Injectable } from '@nestjs/common';

import { Views } from '#platform/database/views';

/** Changes with the rows of backups, in the same transaction: their checkpoint. */
const AS_OF = `(select concat_ws(' ', version, generation, position) from projection where name = 'backup' and live)`;

interface Counts {
  readonly asOf: string;
  readonly of: Readonly<Record<string, number>>;
}

/** How many completed backups each repository has. They are counted anew when rows of backups may have changed since, by whomever. */
@Injectable()
export class CompletedBackups {
  /** For a statement that reads repositories: as of when its answer is. */
  static readonly asOf = AS_OF;
  private counts: Counts = { asOf: '', of: {} };

  constructor(private readonly views: Views) {}

  /** By repository, as of then or later. */
  async perRepository(asOf: string): Promise<Readonly<Record<string, number>>> {
    if (this.counts.asOf !== asOf) {
      const [counts] = await this.views.select<Counts>(
        `select ${AS_OF} as "asOf", coalesce(json_object_agg(repository_id, backups), '{}') as "of"
           from (select repository_id, count(*) as backups from backup where status = 'completed' group by repository_id) c`,
      );
      if (counts !== undefined) this.counts = counts;
    }
    return this.counts.of;
  }

  async in(repositoryId: string): Promise<number> {
    const [row] = await this.views.select<{ backups: number }>(
      `select count(*) as backups from backup where repository_id = $1 and status = 'completed'`,
      [repositoryId],
    );
    return row?.backups ?? 0;
  }
}
