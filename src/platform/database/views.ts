import pg from 'pg';
import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';

import { preparedName } from './prepared.js';

const { INT8 } = pg.types.builtins;

/** Counts, sizes and revisions are far below what a number holds exactly. */
const NUMBERS: pg.CustomTypesConfig = {
  getTypeParser: (type, format) => (type === INT8 ? Number : (pg.types.getTypeParser(type, format) as never)),
};

/** The limits that are asked for most are part of the statement: what isn't known to the planner is planned for anew each time. */
const WRITTEN_OUT = [100, 1000];

/** One page of a list. */
export interface PageStatement {
  readonly columns: string;
  /** Called `one`. */
  readonly view: string;
  /** What else the columns need; never what would change the number of rows. */
  readonly joins?: string;
  readonly filter: Filter;
  /** Columns that together tell any two rows apart. */
  readonly order: readonly string[];
  readonly descending?: true;
  /** Their values in the row behind which the page begins; null on the first page. */
  readonly after: readonly string[] | null;
  readonly limit: number;
}

interface Counted<Rows> {
  readonly found: Rows;
  readonly total: number;
}

/**
 * Reads the views that the projections keep by statements written by hand, each planned once per connection: what is asked for with
 * every request is no work for a mapper. The entities say which columns there are, and a row leaves the driver as one of them.
 */
export class Views {
  /** By entity, and there by what was asked for: a list is written once and not with every request. */
  private readonly lists = new Map<EntityTarget<ObjectLiteral>, Map<string, string>>();

  constructor(private readonly source: DataSource) {}

  /** The columns of an entity for a `select`, under the names of its properties; `one` is the view that they are of. */
  columns<Row extends ObjectLiteral>(
    entity: EntityTarget<Row>,
    { of = 'one', without = [] }: { readonly of?: string; readonly without?: readonly (keyof Row & string)[] } = {},
  ): string {
    const lists = this.lists.get(entity) ?? new Map<string, string>();
    this.lists.set(entity, lists);
    const asked = [of, ...without].join();
    const known = lists.get(asked);
    if (known !== undefined) return known;
    const list = this.source
      .getMetadata(entity)
      .columns.filter(({ propertyName }) => !(without as readonly string[]).includes(propertyName))
      .map(({ propertyName, databaseName }) => `${of}."${databaseName}" as "${propertyName}"`)
      .join(', ');
    lists.set(asked, list);
    return list;
  }

  async select<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const { rows } = await this.pool.query<Row>({
      name: preparedName(text),
      text,
      values: [...values],
      types: NUMBERS,
    });
    return rows;
  }

  /** One row more than asked for if there is a next page. */
  async page<Row extends object>(statement: PageStatement): Promise<Row[]> {
    return this.select<Row>(pageText(statement), statement.filter.values);
  }

  /** The same, and how many rows there are on all pages. */
  async countedPage<Row extends object>(statement: PageStatement): Promise<Counted<Row[]>> {
    const { view, filter, columns, after } = statement;
    const all = { text: `select count(*) as total from "${view}" one ${filter.where}`, values: [...filter.values] };
    const text = pageText(statement, `${columns}, (${all.text}) as total`);
    const found = await this.select<Row & { readonly total: number }>(text, filter.values);
    const [first] = found;
    if (first !== undefined || after === null) return { found, total: first?.total ?? 0 };
    const [counted] = await this.select<{ total: number }>(all.text, all.values);
    return { found, total: counted?.total ?? 0 };
  }

  /** Whether whoever asks now has to wait for others to be through. */
  get isBusy(): boolean {
    const { idleCount, totalCount, waitingCount, options } = this.pool;
    return waitingCount > 0 || (idleCount === 0 && totalCount >= options.max);
  }

  /** The pool of TypeORM, which is told the whole address of the database. */
  private get pool(): pg.Pool {
    return (this.source.driver as PostgresDriver).master as pg.Pool;
  }
}

/** The statement of a page, whose filter takes up what belongs to the place and the limit. */
export function pageText(statement: PageStatement, columns = statement.columns): string {
  const { view, joins = '', filter, order, descending, after, limit } = statement;
  if (after !== null) {
    const places = after.map((value) => filter.parameter(value));
    filter.and(`(${order.join(', ')}) ${descending === true ? '<' : '>'} (${places.join(', ')})`);
  }
  const sorted = order.map((column) => `${column} ${descending === true ? 'desc' : 'asc'}`).join(', ');
  return `select ${columns} from "${view}" one ${joins} ${filter.where}
    order by ${sorted} limit ${WRITTEN_OUT.includes(limit) ? limit + 1 : filter.parameter(limit + 1)}`;
}

/** The conditions of a statement and their values. */
export class Filter {
  readonly values: unknown[] = [];
  private readonly conditions: string[] = [];

  /** Adds a condition on a value, whose place it is told; nothing where there is no value. */
  on(value: unknown, condition: (place: string) => string): this {
    return value === undefined ? this : this.and(condition(this.parameter(value)));
  }

  /**
   * The same for a value that is one of a few: it becomes part of the statement, so the planner knows how many rows have it, and
   * plans once.
   */
  oneOf(value: string | undefined, known: readonly string[], condition: (place: string) => string): this {
    const found = known.find((one) => one === value);
    return found === undefined ? this.on(value, condition) : this.and(condition(`'${found}'`));
  }

  and(condition: string): this {
    this.conditions.push(condition);
    return this;
  }

  /** Takes a value and answers its place in the statement. */
  parameter(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  get where(): string {
    return this.conditions.length === 0 ? '' : `where ${this.conditions.join(' and ')}`;
  }
}
