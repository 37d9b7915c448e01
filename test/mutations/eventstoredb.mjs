/** The log in EventStoreDB, on the double. */
const FOLDER = 'src/platform/event-store/eventstoredb';
const inFile = (name) => (what, from, to) => ({ what, file: `${FOLDER}/${name}.ts`, from, to });
const [appender, client, guards, failures, codec, reader, tail, store, sameLog] = [
  ...['appender', 'client', 'client-guards', 'failures', 'codec', 'reader', 'tail', 'eventstoredb.event-store'],
  'same-log',
].map(inFile);

export const specs = [
  `${FOLDER}/same-log.spec.ts`,
  `${FOLDER}/tail.spec.ts`,
  `${FOLDER}/appender.spec.ts`,
  'test/contract/own-log.spec.ts',
  'test/contract/event-store.spec.ts',
  'test/contract/eventstoredb.spec.ts',
];

export const mutations = [
  tail('a resumed subscription brings again what has come', 'if (position <= this.resumeAfter) return;', ''),
  tail(
    'what is thrown away of the tail is taken for kept',
    'this.keptAfter = left.at(-1)?.event.position ?? this.keptAfter;',
    '',
  ),
  tail(
    'the tail grows without end',
    'if (this.kept.length <= MAX_EVENTS && this.bytes <= MAX_BYTES) return;',
    'return;',
  ),
  tail('a subscription that says nothing stays', 'this.current.abort();\n      }', '}'),
  tail(
    'a place where the server will go on is taken for a position',
    'if (commit === prepare) this.moveTo',
    'if (commit >= prepare) this.moveTo',
  ),
  tail(
    'a resumed subscription begins at the end',
    'this.client.subscribe(wirePosition(this.resumeAfter),',
    'this.client.subscribe(wirePosition(this.reader.newest || this.resumeAfter),',
  ),
  tail('readers sleep on when something came', 'if (event !== null) this.sleepers.wakeAll();', ''),
  reader(
    'a page loses its last event',
    'return { events, upTo: own, isLast: false };',
    'return { events: events.slice(0, -1), upTo: own, isLast: false };',
  ),
  reader('a page swaps its events', 'events.push(event);', 'events.unshift(event);'),
  reader('the event at a position comes again', "if (last !== '' && !isPast(position, last)) continue;", ''),
  reader('a read that broke begins at the beginning', 'from = wire.position;\n      last = position;', ''),
  reader(
    'a read that broke ends there',
    'await pause(delayMs, this.closing);\n      }\n    }\n  }\n}',
    'return;\n      }\n    }\n  }\n}',
  ),
  reader('an error of the server is taken for a wrong position for ever', "begin = '';\n", ''),
  reader('a stream is read on from where it was read', 'from = direction ===', 'void direction; from = direction !=='),
  failures(
    'a position on no record is taken for an outage',
    'return shapeOf(error).code === UNKNOWN;',
    'return shapeOf(error).code === -1;',
  ),
  failures(
    'a slow reader is an alarm',
    "return code === ABORTED || type === 'timeout';",
    'return code === -1 && type === null;',
  ),
  failures(
    'an error without a class is final',
    'return (code !== null && TRANSIENT_CODES.includes(code)) ||',
    'return',
  ),
  failures(
    'a failed question about features is kept',
    'if (NEED_A_NEW_CLIENT.some((kind) => error instanceof kind)) return true;\n  const { type, code, message } = shapeOf(error);\n  const dials',
    'const { type, code, message } = shapeOf(error);\n  const dials',
  ),
  failures(
    'an append that failed inside the server is taken for refused',
    'return (code === INTERNAL || code === UNKNOWN) &&',
    'return code === -1 &&',
  ),
  appender(
    'what might be stored twice is sent twice',
    "typeof expected === 'bigint' || expected === 'no-stream';",
    'true;',
  ),
  appender('the expected revision is ignored', 'wireRevision(expected), events);', "'any', events);"),
  appender('an append is sent once only', 'if (!repeatable || late)', 'if (repeatable || late)'),
  appender('ids that others stored are no reason', 'if (ids.has(id)) return true;', ''),
  appender(
    'nothing is a duplicate',
    'duplicate: position <= newest',
    'duplicate: position < newest && newest === position',
  ),
  appender(
    'an append is acknowledged before the log is known to be the same',
    '// The connection may have become another one on the way.\n        await this.sameLog.assure();',
    '',
  ),
  client('an append waits for ever', 'await within(appending, APPEND_MS);', 'await appending;'),
  client('a client that is stuck is kept', 'this.dialled = this.dial();\n    for', 'for'),
  client(
    'a read over a connection that was given up ends as if all had come',
    'for (const cutOff of [...this.open]) cutOff();',
    '',
  ),
  client('connections are left open', 'hangUp();\n', ''),
  guards(
    'an answer that nobody waits for is thrown',
    'onCaught(error);\n      }\n    });',
    'throw error;\n      }\n    });',
  ),
  guards(
    'a cluster that is not found ends the process',
    'await handleError(wire, error).catch(onCaught);',
    'await handleError(wire, error);',
  ),
  guards('what is stored is called no JSON', 'write(asJson(message));', 'write(message);'),
  guards('a server without batches is told in the older way', 'name === SINGLE_APPEND ?', "name === '' ?"),
  codec('what others wrote is shown', '|| !this.form.test(streamId)) return null;', ') return null;'),
  codec(
    'the name of OMA stays in the names of streams',
    'stream: streamId.slice(this.prefix.length),',
    'stream: streamId,',
  ),
  codec('positions have no leading zeros', "`${String(commit).padStart(DIGITS, '0')}/", '`${String(commit)}/'),
  store('a subscriber is told of the same again', 'position = page.upTo;\n', ''),
  store('a server that is replaced is ready', '!this.sameLog.wasReplaced && ', ''),
  sameLog(
    'what another log answers is given out',
    'for await (const item of read) {\n        await this.assure();',
    'for await (const item of read) {',
  ),
  sameLog('a doubt is forgotten when nobody answered', 'this.isDoubtful = true;\n      throw error;', 'throw error;'),
];
