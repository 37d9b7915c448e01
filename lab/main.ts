import { parseArgs } from 'node:util';

import { factsOf, startLab } from './lab.js';

const { values } = parseArgs({ options: { dir: { type: 'string' }, port: { type: 'string', default: '0' } } });
const port = Number(values.port);
if (values.dir === undefined || !Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error('usage: LAB_VCENTER_PASSWORD=… node dist/lab/main.js --dir DIR [--port N]');
  process.exit(2);
}

const vcenterPassword = process.env['LAB_VCENTER_PASSWORD'];
const lab = await startLab({ dir: values.dir, port, ...(vcenterPassword !== undefined && { vcenterPassword }) });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void lab.stop());
console.log(JSON.stringify({ ready: true, url: lab.url, ...factsOf(lab) }));
