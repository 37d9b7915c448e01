import { Agents } from '#platform/vma/agents';
import { HttpVmaClient } from '#platform/vma/http.vma-client';

/** Nobody answers where it should be; for tests in which nobody asks it. */
export const oneAgent = new Agents([
  { name: 'default', client: new HttpVmaClient('http://127.0.0.1:9'), token: null, vcenterHosts: [] },
]);

/** How an export is opened for an agent without limits. */
export const FOR_ONE_AGENT = { agent: 'default', limits: { job: null, repository: null }, severalConnections: false };
