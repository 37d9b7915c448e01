/** Rows that are built beside the live ones, and compared with the log. */
const FOLDER = 'src/platform/projections';
const inFile = (name) => (what, from, to) => ({ what, file: `${FOLDER}/${name}.ts`, from, to });
const [
  build,
  connection,
  swap,
  bulk,
  pages,
  tables,
  upkeep,
  requests,
  registration,
  check,
  comparison,
  dead,
  generation,
] = [
  ...['build', 'build-connection', 'swap', 'bulk-writer', 'pages', 'tables', 'upkeep', 'requests', 'registration'],
  ...['check', 'comparison', 'dead-letters', 'generation-rows'],
].map(inFile);

export const specs = ['test/contract/rebuilds.spec.ts', 'test/contract/rebuild-races.spec.ts'];

export const mutations = [
  swap('readers fall back to an older state', 'await writer.write(sql, rest);', ''),
  swap('the view stays where it was', 'await pointView(sql, name, tableOf(built));', ''),
  swap(
    'the checkpoint of the live rows is lost',
    'position = greatest(position, $4)',
    'position = position || left($4, 0)',
  ),
  swap('what belongs to live rows alone is not done', 'await besidesBetween(sql, store, projection, live, next);', ''),
  swap('the old rows stay live', "set live = false, status = 'retired'", "set live = true, status = 'retired'"),
  swap('a swap waits for reports and everybody behind it', "const LOCK_TIMEOUT = '2s';", "const LOCK_TIMEOUT = '0';"),
  swap('what is cancelled takes the place all the same', "next?.status !== 'building' ||", 'next === undefined ||'),
  generation('two who build write the same twice', 'if (rows[0]?.position !== from) throw new Moved();', ''),
  build('indexes are left out', 'await createIndexes(connection.sql, this.projection, table, helper);', ''),
  build('the planner knows nothing of the rows', 'await tableIsFilled(connection.sql, table);', ''),
  generation('what is built begins at the beginning again', 'this.position = row.position;', "this.position = '';"),
  build('a log that is away ends it', 'isTransient(error) || error instanceof EventStoreAway;', 'isTransient(error);'),
  build(
    'an event that can not be handled is tried for ever',
    'if (!isAway && (await this.halt(error))) return true;',
    '',
  ),
  generation(
    'a page is forgotten on its way',
    'this.writer.forget();\n      throw error;\n    }\n  }\n}',
    'throw error;\n    }\n  }\n}',
  ),
  connection(
    'as many as like are built at once',
    "for (const slot of SLOTS) if (await locked(this.client, 'oma build slot', slot)) return true;",
    'return true;',
  ),
  connection('each instance builds it', 'if (!(await locked(this.client, what, 0))) return false;', ''),
  bulk(
    'a row that was written long before begins anew',
    'this.cache.delete(key);\n      this.isWhole = false;',
    'this.cache.delete(key);',
  ),
  pages(
    'it goes beyond where it was to end',
    'events: events.filter((event) => event.position <= upTo), upTo',
    'events, upTo',
  ),
  pages(
    'a log that lost its end is taken for read',
    'if (lookedUpTo < upTo && !(await store.reaches(upTo))) throw new LogFallsShort();',
    'void store; void lookedUpTo;',
  ),
  pages('a reader that takes itself for live ends it', 'return live && (await store.head()) <= upTo;', 'return live;'),
  tables('views on the view are lost', 'if (!kept && old.length > 0)', 'if (old.length > 0)'),
  upkeep('what was cancelled is left behind', 'await sql.query(`drop table if exists ${tableOf(row)}`);', ''),
  upkeep('what was built last is removed at once', "const KEPT_RETIRED = '1 day';", "const KEPT_RETIRED = '0 days';"),
  requests('the rows that are alone can be cancelled', 'if (live.length === 0) return false;', ''),
  requests(
    'an order given earlier cancels what was begun since',
    'if (meant?.startedAt.getTime() !== startedAt.getTime()) return false;',
    'if (meant === undefined) return false;',
  ),
  requests(
    'what stopped stays so',
    "where name = $1 and version = $2 and status = 'stopped' returning name",
    "where name = $1 and version = $2 and status = 'stopped' and live returning name",
  ),
  registration(
    'an older program turns rows back',
    'if (live.version > version) throw new NewerProjection(projection, live);',
    '',
  ),
  registration('two are built at once', 'on conflict do nothing returning generation', 'returning generation'),
  check('the shadow is behind the live rows', 'await follow(live.position);\n', ''),
  check(
    'the shadow stays',
    '} finally {\n      await connection.sql.query(`drop table if exists ${table}`).catch(() => undefined);\n    }',
    '} finally {\n    }',
  ),
  comparison('a value that is missing is the same', 'is distinct from', '<>'),
  comparison('rows too many are not found', 'from ${live} l full join', 'from ${live} l right join'),
  dead('events that were skipped are handled', 'page.filter((event) => !dead.has(event.id))', 'page'),
];
