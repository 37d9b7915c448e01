/** The views for reports. */
const inFile = (file) => (what, from, to) => ({ what, file, from, to });
const offer = inFile('src/platform/reporting/reporting.ts');
const sql = inFile('src/platform/database/migrations/0011-reporting.ts');
const tables = inFile('src/platform/projections/tables.ts');

export const specs = ['test/contract/reporting.spec.ts'];

export const mutations = [
  offer('a changed view stays as it was', 'changed = true\n', 'changed = false\n'),
  offer(
    'a report that is being read ends the start',
    'if (codeOf(error) !== LOCK_NOT_AVAILABLE) throw error;',
    'throw error;',
  ),
  offer(
    'a report that is being read keeps everybody waiting',
    "const LOCK_TIMEOUT = '2s';",
    "const LOCK_TIMEOUT = '0';",
  ),
  offer(
    'nobody is told whom it waits for',
    "'the views for reports are being read and could not be made; it is tried again',",
    "'',",
  ),
  offer('views are not made', "await sql.query('select remake_reporting()');", ''),
  sql(
    'columns say nothing about themselves',
    "execute format('comment on column reporting.%I.%I is %L', view.name, field.name, field.about);",
    'null;',
  ),
  sql(
    'views say nothing about themselves',
    "execute format('comment on view reporting.%I is %L', view.name, view.about);",
    'null;',
  ),
  sql(
    'a definition that does not fit ends the start',
    'exception when undefined_table or undefined_column then\n          null;',
    'exception when division_by_zero then\n          null;',
  ),
  sql('the role may read nothing', 'grant select on all tables in schema reporting to oma_reporting;', ''),
  sql(
    'the role may change what it reads',
    'grant select on all tables in schema reporting to oma_reporting;',
    'grant all on all tables in schema reporting to oma_reporting;',
  ),
  sql(
    'the role may read everything',
    'grant select on all tables in schema reporting to oma_reporting;',
    'grant select on all tables in schema reporting, public to oma_reporting;',
  ),
  tables('views for reports are missing after a swap', "await sql.query('select remake_reporting()');", ''),
];
