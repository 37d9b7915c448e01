import { parseArgs } from 'node:util';

import { factsOf, startLab } from './lab.js';

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    port: { type: 'string', default: '0' },
    oma: { type: 'string' },
    legacy: { type: 'boolean', default: false },
  },
});
const port = Number(values.port);
if (values.dir === undefined || !Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error(
    'usage: LAB_VCENTER_PASSWORD=… LAB_AGENT_TOKEN=… node dist/lab/main.js --dir DIR [--port N] [--oma URL] [--legacy]',
  );
  process.exit(2);
}

const { LAB_VCENTER_PASSWORD: vcenterPassword, LAB_AGENT_TOKEN: agentToken } = process.env;
const lab = await startLab({
  dir: values.dir,
  port,
  agentKind: values.legacy ? 'legacy' : 'modern',
  ...(values.oma !== undefined && { omaUrl: values.oma }),
  ...(vcenterPassword !== undefined && { vcenterPassword }),
  ...(agentToken !== undefined && { agentToken }),
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void lab.stop());
console.log(JSON.stringify({ ready: true, url: lab.url, ...factsOf(lab) }));
