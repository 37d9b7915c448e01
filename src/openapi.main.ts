import { writeFile } from 'node:fs/promises';

import { openApiOf } from './app.js';
import { unconnectedApp } from './unconnected-app.js';

/** Writes the API document of all routes to docs/openapi.json (`npm run openapi`). */
const app = await unconnectedApp();
await writeFile('docs/openapi.json', `${JSON.stringify(openApiOf(app), null, 2)}\n`);
await app.close();
