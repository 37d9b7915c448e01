import { parseArgs } from 'node:util';

import { factsOf, startLab } from '#lab/lab';

import { asVm, GUESTS } from './guests.js';

const { values } = parseArgs({
  options: {
    dir: { type: 'string', default: '' },
    port: { type: 'string', default: '0' },
    vms: { type: 'string', default: '' },
    scale: { type: 'string', default: '1' },
  },
});
const names = values.vms.split(',');
const vms = GUESTS.filter((guest) => names.includes(guest.name)).map((guest) => asVm(guest, Number(values.scale)));

const { LAB_VCENTER_PASSWORD: vcenterPassword, LAB_AGENT_TOKEN: agentToken } = process.env;
const lab = await startLab({
  dir: values.dir,
  port: Number(values.port),
  vms,
  ...(vcenterPassword !== undefined && { vcenterPassword }),
  ...(agentToken !== undefined && { agentToken }),
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void lab.stop());
console.log(JSON.stringify({ ready: true, url: lab.url, ...factsOf(lab) }));
