import { describe, expect, it } from '@jest/globals';

import { pinoLogger } from './pino.logger.js';

/** The line that these fields become. */
function lineOf(fields: object): string {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  pinoLogger('info', destination).info(fields, 'said');
  return lines.join('');
}

describe('a line of the log', () => {
  it.each([
    ['alone', { password: 'hush' }],
    ['beside what is none', { user: 'me', session_token: 'hush', at: null }],
    ['in a member', { user: 'me', vcenter: { vcenter_password: 'hush' } }],
    ['in a member of a member', { request: { headers: { authorization: 'hush' } } }],
    ['beside a member', { secret: 'hush', request: { method: 'GET' } }],
    ['in what an error carries', { error: Object.assign(new Error('no'), { token: 'hush' }) }],
  ])('never shows a secret that stands %s', (_, fields) => {
    const line = lineOf(fields);
    expect(line).toContain('[redacted]');
    expect(line).not.toContain('hush');
  });

  it('shows everything else, with its level, its time and what happened', () => {
    const line = JSON.parse(lineOf({ user: 'me', request: { method: 'GET' }, error: new Error('no') })) as object;
    expect(line).toMatchObject({ level: 'info', user: 'me', request: { method: 'GET' }, msg: 'said' });
    expect(line).toMatchObject({ error: { type: 'Error', message: 'no' } });
    expect(line).toHaveProperty('time', expect.stringMatching(/^\d{4}-.*Z$/));
  });
});
