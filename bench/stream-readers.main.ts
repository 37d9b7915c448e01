import { parseArgs } from 'node:util';

import pg from 'pg';

/**
 * Reads `GET /events/stream` over so many connections until the last event came on each, and beside them the table itself, as
 * somebody would by hand. Tells how late each of them ever was.
 */
const { values } = parseArgs({
  options: { url: { type: 'string', default: '' }, readers: { type: 'string', default: '10' } },
});
const POLL_MS = 50;
const MS_PER_SECOND = 1000;

interface Report {
  readonly events: number;
  readonly lagSeconds: number;
}

/** `at` stands first in the data of each event; reading the whole of it would measure the reader. */
function latest(text: string, marker: string): number {
  const at = text.lastIndexOf(marker);
  return at === -1 ? NaN : Number(text.slice(at + marker.length, at + marker.length + String(Date.now()).length));
}

async function read(response: Response): Promise<Report> {
  const decoder = new TextDecoder();
  let rest = '';
  let events = 0;
  let lagMs = 0;
  for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
    const now = Date.now();
    const blocks = `${rest}${decoder.decode(bytes, { stream: true })}`.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      if (block.includes('event: BenchEnded')) return { events, lagSeconds: lagMs / MS_PER_SECOND };
      if (!block.includes('event: BenchTicked')) continue;
      events += 1;
      lagMs = Math.max(lagMs, now - latest(block, '"at":'));
    }
  }
  throw new Error('a stream ended before the last event');
}

/** What there is to beat: a loop that asks the table for what is new. */
async function poll(): Promise<Report> {
  const client = new pg.Client({ connectionString: process.env['DATABASE_URL'] });
  await client.connect();
  const { rows: start } = await client.query<{ position: string }>('select position from es.head');
  let position = start[0]?.position ?? '0';
  let events = 0;
  let lagMs = 0;
  for (;;) {
    const { rows } = await client.query<{ position: string; type: string; at: string }>(
      `select position, type, data->>'at' as at from es.event where position > $1 order by position limit 5000`,
      [position],
    );
    const now = Date.now();
    for (const row of rows) {
      if (row.type === 'BenchEnded') {
        await client.end();
        return { events, lagSeconds: lagMs / MS_PER_SECOND };
      }
      if (row.type !== 'BenchTicked') continue;
      events += 1;
      lagMs = Math.max(lagMs, now - Number(row.at));
    }
    position = rows.at(-1)?.position ?? position;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const headers = { authorization: `Bearer ${process.env['OMA_TOKEN'] ?? ''}` };
const responses = await Promise.all(
  Array.from({ length: Number(values.readers) }, () => fetch(`${values.url}/api/v1/events/stream`, { headers })),
);
for (const response of responses) if (!response.ok) throw new Error(await response.text());
const byHand = poll();
console.log(JSON.stringify({ ready: true }));
const streams = await Promise.all(responses.map(read));
console.log(JSON.stringify({ streams, byHand: await byHand }));
process.exit(0);
