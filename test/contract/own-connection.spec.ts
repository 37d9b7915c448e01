import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { OwnConnection } from '#platform/database/own-connection';

import { freshDatabase } from '../kit/database.js';

describe('a connection of its own to the database', () => {
  let fresh: Awaited<ReturnType<typeof freshDatabase>>;
  let connection: OwnConnection;

  beforeEach(async () => {
    fresh = await freshDatabase();
    connection = new OwnConnection(fresh.database, 'one', `set application_name = 'prepared'`);
  });

  afterEach(async () => {
    await connection.close();
    await fresh.drop();
  });

  const ask = async (text: string, withinMs = 5000) => (await connection.query({ text }, withinMs))[0];
  const processId = () => ask('select pg_backend_pid() pid');

  it('begins with its settings, and stays the same one, also after a refusal', async () => {
    expect(await ask('show application_name')).toEqual({ application_name: 'prepared' });
    const before = await processId();
    await expect(ask('select 1 / 0')).rejects.toThrow('division by zero');
    expect(await processId()).toEqual(before);
  });

  it('is another one after a question that had no answer in time, which nobody has to wait for', async () => {
    const before = await processId();
    await expect(ask('select pg_sleep(20)', 200)).rejects.toThrow('timeout');
    const began = performance.now();
    expect(await processId()).not.toEqual(before);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});
