import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { freshDatabase } from '../kit/database.js';
import { behindDoor, type Door, openDoor } from '../kit/door.js';
import { OmaProcess } from '../kit/oma-process.js';

const PORT = 21_500;
const MINUTE_MS = 60_000;

describe('a database that takes everything and says nothing', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let door: Door;
  let oma: OmaProcess;

  beforeAll(async () => {
    fresh = await freshDatabase();
    door = await openDoor(PORT, fresh.url);
    oma = await OmaProcess.start({ DATABASE_URL: behindDoor(PORT, fresh.url), OMA_NBD_PORTS: '21510-21519' });
  }, MINUTE_MS);

  afterAll(async () => {
    await door.close();
    await oma.clear();
    await fresh.drop();
  }, MINUTE_MS);

  it(
    'keeps nobody from stopping OMA by one signal',
    async () => {
      door.stall();
      const asked = performance.now();
      expect(await oma.stop()).toBe(1);
      expect(performance.now() - asked).toBeLessThan(2 * MINUTE_MS);
    },
    3 * MINUTE_MS,
  );
});
