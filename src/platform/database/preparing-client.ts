import pg from 'pg';

/** A connection forgets none of its statements, and the longer the list in one, the fewer will ask for just that many. */
const MOST_STATEMENTS = 200;
const MOST_VALUES = 8;

/**
 * A connection that plans a statement once and not with every query, for those who can't name their statements themselves. A view
 * that is turned to another table meanwhile is planned again by PostgreSQL.
 */
export class PreparingClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    const names = new Map<string, string>();
    const query = this.query.bind(this) as (...args: unknown[]) => unknown;
    this.query = ((text: unknown, values: unknown, ...rest: unknown[]) => {
      if (typeof text !== 'string' || !Array.isArray(values)) return query(text, values, ...rest);
      if (values.length === 0 || values.length > MOST_VALUES) return query(text, values, ...rest);
      if (!names.has(text) && names.size < MOST_STATEMENTS) names.set(text, `prepared ${names.size}`);
      const name = names.get(text);
      return name === undefined ? query(text, values, ...rest) : query({ name, text, values }, ...rest);
    }) as typeof this.query;
  }
}
