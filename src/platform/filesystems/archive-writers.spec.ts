import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

import { describe, expect, it } from '@jest/globals';
import { extract, type Header } from 'tar-stream';

import { archiveWriter, type EntryFacts } from './archive-writers.js';

async function storedHeader(changes: Partial<EntryFacts>): Promise<Header | undefined> {
  const out = new PassThrough();
  const writer = archiveWriter('tar.gz', out);
  const bytes = buffer(out);
  const facts = { path: 'file', mode: 0o100644, uid: 0, gid: 0, mtime: new Date(), ...changes };
  await writer.file(facts, 2, [Buffer.from('ab')]);
  writer.end();
  await writer.written;
  const reader = extract();
  reader.end(gunzipSync(await bytes));
  const headers: Header[] = [];
  for await (const entry of reader) {
    headers.push(entry.header);
    entry.resume();
  }
  return headers[0];
}

describe('an archive', () => {
  it.each(['1931-05-04', '1970-01-01', '2026-11-23', '2040-01-01', '2300-01-01'])(
    'keeps the time of a file of %s',
    async (day) => {
      const mtime = new Date(`${day}T12:00:00Z`);
      const header = await storedHeader({ mtime });
      const exact = (header?.pax as { mtime?: string } | null)?.mtime;
      const seconds = exact === undefined ? (header?.mtime.getTime() ?? 0) / 1000 : Number(exact);
      expect(seconds).toBe(mtime.getTime() / 1000);
    },
  );

  it.each([0o100000, 0o100644, 0o104755])('keeps the mode of a file: %o', async (mode) => {
    expect((await storedHeader({ mode }))?.mode).toBe(mode & 0o7777);
  });
});
