/** The log in PostgreSQL. */
const FOLDER = 'src/platform/event-store/postgres';
const inFile = (file) => (what, from, to) => ({ what, file, from, to });
const [lane, call, announcements, reader, newest, recent, wakeUp, store] = [
  ...[
    'lane',
    'append-call',
    'announcements',
    'reader',
    'newest-events',
    'recent-events',
    'wake-up',
    'postgres.event-store',
  ],
].map((name) => inFile(`${FOLDER}/${name}.ts`));
const connection = inFile('src/platform/database/own-connection.ts');
const sql = inFile('src/platform/database/migrations/0001-event-store.ts');
const several = inFile('src/platform/database/migrations/0018-append-several.ts');

export const specs = [
  'src/platform/event-store/postgres/reader.spec.ts',
  'src/platform/event-store/postgres/recent-events.spec.ts',
  'test/contract/event-store.spec.ts',
  'test/contract/postgres-event-store.spec.ts',
  'test/contract/event-store-limits.spec.ts',
  'test/contract/many-writers.spec.ts',
  'test/contract/own-connection.spec.ts',
];

export const mutations = [
  lane(
    'a small append overtakes a large one to the same stream',
    'bytes += request.bytes;\n      }\n      streams.add(request.stream);',
    'bytes += request.bytes;\n        streams.add(request.stream);\n      }',
  ),
  lane(
    'a bad append spoils those beside it',
    'else await this.sendOneByOne(batch, error);',
    'else for (const request of batch) request.reject(error);',
  ),
  lane(
    'nothing is sent again',
    'if (!isTransient(error) || performance.now() + delayMs > deadline) throw error;',
    'throw error;',
  ),
  lane(
    'those who wait are never told',
    'performance.now() + delayMs > deadline) throw error;',
    'delayMs < 0) throw error;',
  ),
  lane('the planner is let do as it likes', "'oma lane', BY_KEY)", "'oma lane', 'select 1')"),
  lane('a closed log leaves its connection open', 'await this.connection.close();', ''),
  call(
    'the events of an append have their revisions the wrong way round',
    '(_event, index) => first + BigInt(index)',
    '(_event, index) => first + BigInt(events.length - 1 - index)',
  ),
  call(
    'an id in use is an error of the database',
    'if ((error as { code?: unknown }).code === UNIQUE_VIOLATION) return null;',
    '',
  ),
  call(
    'an append is acknowledged that something stood in the way of',
    'if (base !== null) {',
    '{\n        if (base === null) { answerAll(batch, 0n); return; }',
  ),
  call('a duplicate passes for new', "duplicate: outcome.status === 'duplicate',", 'duplicate: false,'),
  call(
    'a conflict names the revision that was expected',
    'new WrongExpectedRevision(request.stream, request.expected, revision)',
    'new WrongExpectedRevision(request.stream, request.expected, -1n)',
  ),
  announcements('the last of many appends is not told', 'this.onDue();', ''),
  reader('a hole is passed over', 'if (BigInt(rows.length) === upTo - after) return;', 'return;'),
  reader(
    'what a page of large events has no room for is lost',
    '(isCut || events.length === limit)',
    '(events.length === limit)',
  ),
  reader(
    'an event that is larger than a page is waited for without end',
    'if (events.length > 0 || !isCut) return { events, isCut };',
    'return { events, isCut };',
  ),
  reader(
    'a full page says that it looked at everything',
    'upTo: full ? last.position : head, head };',
    'upTo: head, head };',
  ),
  reader(
    'the event at a position comes again',
    'const conditions = [`position > ${place(after)}`]',
    'const conditions = [`position >= ${place(after)}`]',
  ),
  reader(
    'the newest events are not selected',
    'near.events.filter((event) => selects(selection, event))',
    'near.events',
  ),
  reader(
    'what was read lately is not selected',
    'events: events.filter((event) => selects(selection, event)), upTo: head',
    'events, upTo: head',
  ),
  reader(
    'a page that has no room for all is told to be the last',
    'near.events.length > Math.min(NEWEST, limit)',
    'near.events.length > limit',
  ),
  newest('an answer is shared that was asked for before', 'this.askingBehind.delete(after);', ''),
  wakeUp('what it appended itself is found a second later', 'if (position > this.grown) this.grown = position;', ''),
  reader(
    'a stream ends with its first page',
    'left -= rows.length;\n      next = forward',
    'return;\n      next = forward',
  ),
  recent('what was read lately is given again', 'this.events.slice(Number(after - this.after));', 'this.events;'),
  recent('what was read lately is taken for all that there is', ' || upTo > this.upTo', ''),
  wakeUp('nobody listens', "await client.query('listen es');", ''),
  wakeUp('what others append is not heard', 'if (processId !== this.ownProcessId())', 'if (processId === 0)'),
  wakeUp('what it appended itself is heard again', 'if (processId !== this.ownProcessId())', 'if (processId !== 0)'),
  wakeUp('nobody is woken, nor looks', 'this.wakeAll();\n    }, POLL_MS);', '}, POLL_MS);'),
  store(
    'a database that shows old heads is taken',
    "row?.default_transaction_isolation !== 'read committed'",
    'row === undefined',
  ),
  store('who has seen the end looks again and again', 'lookedAt = live ? heard : null;', 'lookedAt = null;'),
  store(
    'a reader stays with a database that hangs',
    'await unlessAborted(this.reader.page(position, selection, limit), signal)',
    'await this.reader.page(position, selection, limit)',
  ),
  store('a reader ends when the database is away', 'await pause(delayMs, signal);', 'return null;'),
  connection(
    'a connection that was lost is kept',
    'if (!(error instanceof pg.DatabaseError)) this.giveUp(connecting);',
    '',
  ),
  connection(
    'a refusal costs the connection',
    'if (!(error instanceof pg.DatabaseError)) this.giveUp(connecting);',
    'this.giveUp(connecting);',
  ),
  sql(
    'positions have gaps',
    'select base + row_number() over (order by u.o) pos',
    'select base + 1 + row_number() over (order by u.o) pos',
  ),
  sql('an order of ids is as good as another', 'when s.same and s.n = w.n and s.in_order', 'when s.same and s.n = w.n'),
  several(
    'a revision that is not there yet is taken',
    'where not exists (\n         select from unnest',
    'where true or not exists (\n         select from unnest',
  ),
];
