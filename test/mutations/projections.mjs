/** Rows that follow the log. */
const FOLDER = 'src/platform/projections';
const inFile = (name) => (what, from, to) => ({ what, file: `${FOLDER}/${name}.ts`, from, to });
const [loop, live, passes, poison, writer, runner, statuses, upkeep] = [
  ...['projection-loop', 'live-rows', 'passes', 'poison', 'writer'],
  ...['projection-runner', 'statuses', 'registry.projection-upkeep'],
].map(inFile);

export const specs = [
  'test/contract/passes.spec.ts',
  'test/contract/projections.spec.ts',
  'test/contract/rebuilds.spec.ts',
];

export const mutations = [
  live('two instances fold the same event', 'if (moved.rowCount === 0) throw new Moved();', ''),
  live(
    'rows move and the checkpoint stays',
    'set position = $5, last_recorded_at',
    "set position = case when $5 = '' then $5 else $4 end, last_recorded_at",
  ),
  live('rows are written where the checkpoint is not what it was', "'exists (select from moved)'", "'true'"),
  live('rows that are no more stay where others change', 'columns, gone];', 'columns, []];'),
  loop('rows that stopped go on', "if (live?.status !== 'running') {", 'if (live === undefined) {'),
  loop('an event that can not be handled is tried for ever', 'if (await this.halt(live, error)) continue;', ''),
  loop(
    'the rows of an older version are followed',
    "'name = $1 and version = $2 and live', [name, version]",
    "'name = $1 and live', [name]",
  ),
  loop('nobody is told how far the rows are', 'this.onAdvance(position, batch.events.length);', ''),
  passes('a checkpoint jumps from where it is not', 'and p.position = w.since', ''),
  passes(
    'a checkpoint jumps from where it is not, when it is alone',
    "and live and status = 'running' and position = $4`",
    "and live and status = 'running' and $4 <> ''`",
  ),
  passes('what stopped passes', "where p.live and p.status = 'running' and", 'where p.live and'),
  passes('all wait for the one that is held', 'for update of p skip locked', 'for update of p'),
  passes(
    'who holds its own is not waited for',
    '(await passed).has(pass.live.name) || this.alone(pass)',
    '(await passed).has(pass.live.name)',
  ),
  passes('whoever writes rows does not wait for a pass', 'await this.underWay;', ''),
  passes('what is being written down is not waited for at a stop', 'await Promise.all(this.underWay);', ''),
  passes('who holds a row keeps it from stopping', 'const STOP_WITHIN_MS = 2000;', 'const STOP_WITHIN_MS = 600_000;'),
  passes(
    'what came while rows were moved is written down beside them',
    '    this.forget();\n    this.assure();',
    '    this.assure();',
  ),
  loop('rows never rest', 'restMs !== undefined && batch.live', 'restMs === null && batch.live'),
  passes('what could not be written down is not noticed', 'this.over.abort();', ''),
  loop('who has an event skipped looks for it too early', 'await checkpoint.settle()', 'await checkpoint.stored()'),
  loop(
    'it is stopped at an event that another instance has passed',
    " and status = 'running' and position = $6 returning name`",
    " and status = 'running' and $6 <> '' returning name`",
  ),
  poison('what comes before it is not kept', 'await applyOrFindPoison(apply, half, from, border);', ''),
  poison(
    'an outage is taken for an event that can not be handled',
    'if (error instanceof Moved || isTransient(error)) throw error;',
    'if (error instanceof Moved) throw error;',
  ),
  poison(
    'its neighbour is blamed',
    'const [only] = events;\n    if (events.length <= 1) {',
    'const only = events.at(-1);\n    if (events.length <= 2) {',
  ),
  writer('rows that are no more stay', 'if (gone.length > 0) await', 'if (gone.length < 0) await'),
  writer(
    'a row begins anew with each batch',
    'isNew ? new Map<string, Row | null>() : await loadRows(sql, projection, table, keys);',
    'new Map();',
  ),
  writer('what stands beside the rows is passed over', '|| (projection.besides?.(batch) ?? []).length > 0', ''),
  writer(
    'what touches no row is written all the same',
    '.some((event) => projection.keysOf(event).length > 0)',
    '.some(() => true)',
  ),
  writer('a row that is there is left as it is', "`do update set ${sets.join(', ')}`", "'do nothing'"),
  runner(
    'who waits is told too soon',
    'while (!this.stopped) {\n      const rows',
    'while (this.stopped) {\n      const rows',
  ),
  runner(
    'what stopped is set going in one instance alone',
    '!(await retryStopped(this.database, loop.projection))',
    "loop.projection.name === ''",
  ),
  statuses('nothing is ever behind', 'live.position >= head ? 0 : await', 'live.position >= head || head ? 0 : await'),
  upkeep(
    'whatever it stopped at is skipped',
    'if (event.id === eventId) return event.position;',
    'return event.position;',
  ),
  upkeep(
    'a skipped event is not written down',
    "await addDeadLetter(sql, projection, { eventId, error: stopped.error ?? '', actor, reason });",
    '',
  ),
];
