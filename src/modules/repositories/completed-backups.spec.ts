import { describe, expect, it } from '@jest/globals';

import type { Views } from '#platform/database/views';

import { CompletedBackups } from './completed-backups.js';

type Counts = { readonly asOf: string; readonly of: Readonly<Record<string, number>> };

/** Views whose answers come when the test wants it. */
function answeredByHand() {
  const asked: ((counts: Counts) => void)[] = [];
  const select = () =>
    new Promise<Counts[]>((resolve) => {
      asked.push((counts) => {
        resolve([counts]);
      });
    });
  return { asked, backups: new CompletedBackups({ select } as unknown as Views) };
}

describe('the number of completed backups per repository', () => {
  it('is counted once for as long as no backup changes', async () => {
    const { asked, backups } = answeredByHand();
    const first = backups.perRepository('at 1');
    asked[0]?.({ asOf: 'at 1', of: { here: 1 } });
    expect(await first).toEqual({ here: 1 });
    expect(await backups.perRepository('at 1')).toEqual({ here: 1 });
    expect(asked).toHaveLength(1);
  });

  it('is counted anew as soon as one may have changed, also backwards, as after a rebuild', async () => {
    const { asked, backups } = answeredByHand();
    const answers: unknown[] = [];
    for (const [index, asOf] of ['1 1 at 7', '1 1 at 8', '1 2 at 8', '1 2 at 7'].entries()) {
      const counting = backups.perRepository(asOf);
      asked[index]?.({ asOf, of: { here: index } });
      answers.push(await counting);
    }
    expect(answers).toEqual([{ here: 0 }, { here: 1 }, { here: 2 }, { here: 3 }]);
  });

  it('may be newer than what was asked for, and is kept as of what it is', async () => {
    const { asked, backups } = answeredByHand();
    const counting = backups.perRepository('at 1');
    asked[0]?.({ asOf: 'at 2', of: { here: 2 } });
    expect(await counting).toEqual({ here: 2 });
    expect(await backups.perRepository('at 2')).toEqual({ here: 2 });
    expect(asked).toHaveLength(1);
  });

  it('is never older than asked for, though an older count comes in later', async () => {
    const { asked, backups } = answeredByHand();
    const older = backups.perRepository('at 1');
    const newer = backups.perRepository('at 2');
    asked[1]?.({ asOf: 'at 2', of: { here: 2 } });
    expect(await newer).toEqual({ here: 2 });
    asked[0]?.({ asOf: 'at 1', of: { here: 1 } });
    expect(await older).toEqual({ here: 1 });
    const again = backups.perRepository('at 2');
    asked[2]?.({ asOf: 'at 2', of: { here: 2 } });
    expect(await again).toEqual({ here: 2 });
  });

  it('is no number of a repository that has none', async () => {
    const { asked, backups } = answeredByHand();
    const counting = backups.perRepository('at 1');
    asked[0]?.({ asOf: 'at 1', of: {} });
    expect((await counting)['here']).toBeUndefined();
  });
});
