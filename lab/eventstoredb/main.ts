import { parseArgs } from 'node:util';

import { EventStoreDbDouble } from './double.js';

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' } } });
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error('usage: node dist/lab/eventstoredb/main.js [--port N]');
  process.exit(2);
}

const double = await EventStoreDbDouble.start(port);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    double.stop();
  });
}
console.log(JSON.stringify({ ready: true, url: double.url }));
