import type { Projection } from '#domain/kernel/projection';
import type { AnyProjection } from '#platform/projections/tables';

export type Counter = { name: string; sum: number; last: string };

/** Adds up per name; 'Forgotten' removes the row; 'Poison' can't be handled until `cured`. Versions differ in a column. */
export class Counting {
  cured = false;

  version(version: 1 | 2): AnyProjection {
    const projection: Projection<Counter & { twice?: number }> = {
      name: 'counter',
      version,
      table: {
        key: 'name',
        columns: {
          name: 'text',
          sum: 'bigint',
          last: 'text',
          ...(version === 2 && { twice: 'bigint' as const }),
        } as never,
        indexes: [['sum']],
      },
      handles: ['Added', 'Forgotten', 'Poison'],
      keysOf: (event) => [(event.data as { name: string }).name],
      evolve: (row, event) => {
        if (event.type === 'Poison' && !this.cured) throw new Error('this can not be handled');
        if (event.type === 'Forgotten') return null;
        const { name, by = 0 } = event.data as { name: string; by?: number };
        const sum = (row?.sum ?? 0) + by;
        return { name, sum, last: event.id, ...(version === 2 && { twice: 2 * sum }) };
      },
    };
    return projection as unknown as AnyProjection;
  }
}

/** One row per event, whatever it is. */
export const listing = {
  name: 'listing',
  version: 1,
  table: { key: 'id', columns: { id: 'uuid', position: 'text', data: 'jsonb', note: 'text' }, indexes: [['position']] },
  handles: 'all',
  insertOnly: true,
  keysOf: (event) => [event.id],
  evolve: (_row, event) => ({
    id: event.id,
    position: event.position,
    data: event.data,
    note: (event.data as { note?: string }).note ?? null,
  }),
} as Projection<{ id: string; position: string; data: object; note: string | null }> as unknown as AnyProjection;
