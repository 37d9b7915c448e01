import { describe, expect, it } from '@jest/globals';

import { LogReplaced, SameLog } from './same-log.js';

/** Reads that are answered when the test says so. */
function slowReads() {
  const asked: { answer: (id: string) => void; fail: (error: Error) => void }[] = [];
  const read = () =>
    new Promise<string>((answer, fail) => {
      asked.push({ answer, fail });
    });
  const sameLog = new SameLog(read);
  sameLog.isCalled('one');
  return { asked, sameLog };
}

/** What became of it, as far as that is known already. */
async function outcome(work: Promise<void>): Promise<string> {
  const [first] = await Promise.allSettled([Promise.race([work.then(() => 'assured'), laterTurn()])]);
  return first.status === 'fulfilled' ? first.value : (first.reason as Error).name;
}

async function laterTurn(): Promise<string> {
  await new Promise((resolve) => setImmediate(resolve));
  return 'open';
}

describe('that the log is the same', () => {
  it('costs no read without a doubt', async () => {
    const { asked, sameLog } = slowReads();
    await sameLog.assure();
    expect(asked).toEqual([]);
  });

  it('is waited for by all who ask while it is looked up', async () => {
    const { asked, sameLog } = slowReads();
    sameLog.doubt();
    const [first, second] = [sameLog.assure(), sameLog.assure()];
    expect([await outcome(first), await outcome(second)]).toEqual(['open', 'open']);
    asked[0]?.answer('another');
    await expect(first).rejects.toThrow(LogReplaced);
    await expect(second).rejects.toThrow(LogReplaced);
    expect(asked).toHaveLength(1);
  });

  it('is looked up once more by those who asked after a doubt that came while it was looked up', async () => {
    const { asked, sameLog } = slowReads();
    sameLog.doubt();
    const first = sameLog.assure();
    sameLog.doubt();
    const second = sameLog.assure();
    asked[0]?.answer('one');
    await outcome(first);
    expect(await outcome(second)).toBe('open');
    expect(asked).toHaveLength(2);
    asked[1]?.answer('another');
    await expect(second).rejects.toThrow(LogReplaced);
    expect(sameLog.wasReplaced).toBe(true);
  });

  it('stays in doubt when it could not be looked up', async () => {
    const { asked, sameLog } = slowReads();
    sameLog.doubt();
    const first = sameLog.assure();
    asked[0]?.fail(new Error('away'));
    await expect(first).rejects.toThrow('away');
    const second = sameLog.assure();
    asked[1]?.answer('one');
    await expect(second).resolves.toBeUndefined();
    await expect(sameLog.assure()).resolves.toBeUndefined();
    expect(asked).toHaveLength(2);
  });
});
