import { describe, expect, it } from '@jest/globals';

import type { CheckStatus, Standing } from '#platform/projections/check-log';
import type { BuildStatus } from '#platform/projections/projection-progress.port';

import { buildingLine, checkLines } from './table.js';
import { verdictOn } from './verdict.js';

const build: BuildStatus = {
  version: 1,
  generation: 2,
  status: 'building',
  position: '',
  events: 0,
  error: null,
  stoppedEventId: null,
  startedAt: new Date(0),
};

describe('what is said of a rebuild that is waited for', () => {
  it('is not that there is nothing, before anything of it was counted', () => {
    expect(buildingLine('job', build)).toBe(
      'job: its rows are being built beside those that are read; nothing of the log is in them yet',
    );
  });

  it('is how far it has read, also where nothing of that was for it', () => {
    const said = (position: string, events: number) => buildingLine('job', { ...build, position, events });
    expect(said('0000000000000020000', 12_000)).toContain('read up to 20000, and 12000 of its events are in them');
    expect(said('0000000000000020000', 0)).toContain('read up to 20000, and 0 of its events are in them');
  });
});

describe('what is said of a comparison', () => {
  const check = (standing: Standing | null, different = 0): CheckStatus => ({
    id: 'c-1',
    name: 'job',
    version: 1,
    status: 'done',
    position: '0000000000000000007',
    comparison: { rows: 5, missing: 0, extra: 0, different, examples: [] },
    standing,
    error: null,
    startedAt: new Date(0),
    endedAt: new Date(1),
  });
  const head = '0000000000000000019';
  const linesOf = (one: CheckStatus) => checkLines([one]).slice(1);

  it('is that rows are the same where they are all that the log gives', () => {
    const whole = check({ stopped: false, head, behind: 0 });
    expect(verdictOn(whole)).toBe('same');
    expect(linesOf(whole)).toEqual(['job         same    5     0        0      0']);
  });

  it('is that they stopped, where, and how far the log is beyond, although nothing differs', () => {
    const stopped = check({ stopped: true, head, behind: 12 });
    expect(verdictOn(stopped)).toBe('stopped');
    expect(linesOf(stopped)).toEqual([
      'job         stopped  5     0        0      0',
      'job: stopped at 7, and only up to there its rows were compared; the log goes on to 19 with 12 more events for it. ' +
        '"oma projections status job" says why',
    ]);
  });

  it('is that they are behind, where nobody takes events in', () => {
    const behind = check({ stopped: false, head, behind: 1 });
    expect(verdictOn(behind)).toBe('behind');
    expect(linesOf(behind).at(-1)).toContain('is only at 7');
    expect(linesOf(behind).at(-1)).toContain('with 1 more event for it');
  });

  it('is first of all that they differ, and also then how far they were compared', () => {
    const wrong = check({ stopped: true, head, behind: 12 }, 3);
    expect(verdictOn(wrong)).toBe('differs');
    expect(linesOf(wrong).at(-1)).toContain('stopped at 7');
  });

  it('is no more than what an older OMA looked at', () => {
    expect(verdictOn(check(null))).toBe('same');
    expect(linesOf(check(null))).toHaveLength(1);
  });
});
