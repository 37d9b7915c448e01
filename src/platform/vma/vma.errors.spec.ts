import { describe, expect, it } from '@jest/globals';

import { printable } from './vma.errors.js';

describe("an agent's words", () => {
  it('are cut between two characters, never within one', () => {
    const words = printable(`${'x'.repeat(299)}\u{1f642} and more`);
    expect(words).toBe(`${'x'.repeat(299)}\u{1f642}`);
  });

  it('lose what is no text', () => {
    expect(printable(' a\u0000b\ud83dc\u001b[2J ')).toBe('a b c [2J');
  });
});
