import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { describe, expect, it } from '@jest/globals';

const FOLDER = 'test/mutations';

interface Suite {
  readonly specs: readonly string[];
  readonly mutations: readonly {
    readonly what: string;
    readonly file: string;
    readonly from: string;
    readonly to: string;
  }[];
}

describe.each(readdirSync(FOLDER))('the ways to break what %s is about', (file) => {
  const suite = () => import(resolve(FOLDER, file)) as Promise<Suite>;

  it('are ten at least, each with a sentence of its own', async () => {
    const sentences = (await suite()).mutations.map(({ what }) => what);
    expect(new Set(sentences).size).toBe(sentences.length);
    expect(sentences.length).toBeGreaterThanOrEqual(10);
  });

  it('change what is there, once, into something else', async () => {
    const missing = (await suite()).mutations.filter(
      (mutation) =>
        mutation.from === mutation.to || readFileSync(mutation.file, 'utf8').split(mutation.from).length !== 2,
    );
    expect(missing.map(({ what }) => what)).toEqual([]);
  });

  it('are held against tests that are there', async () => {
    expect((await suite()).specs.filter((spec) => !existsSync(spec))).toEqual([]);
  });
});
