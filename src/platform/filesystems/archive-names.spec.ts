import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { archiveName, isKept } from './archive-names.js';

describe('names in archives', () => {
  it.each([
    ['plain', 'plain'],
    ['Größe 100%', 'Größe 100%'],
    ['50%ff', '50%25ff'],
    ['a\\b', 'a%5Cb'],
    ['a%5Cb', 'a%255Cb'],
    ['C:', 'C%3A'],
  ])('of text %s are %s', (name, expected) => {
    expect(archiveName(Buffer.from(name))).toBe(expected);
    expect(isKept(Buffer.from(name))).toBe(name === expected);
  });

  it('of bytes that are no text are encoded, and differ from text that looks encoded', () => {
    expect(archiveName(Buffer.from('z\xff', 'latin1'))).toBe('z%FF');
    expect(archiveName(Buffer.from('z%FF'))).toBe('z%25FF');
    expect(archiveName(Buffer.from('%!\xff', 'latin1'))).toBe('%25!%FF');
    expect(archiveName(Buffer.from('%25!%FF'))).toBe('%2525!%25FF');
  });

  it('differ where the names of the guest differ', () => {
    const parts = fc.constantFrom('%', '2', '5', 'C', 'F', 'f', '\\', ':', 'a', 'ä', '\xff', '%25', '%FF', '%5C');
    const names = fc
      .array(parts, { maxLength: 6 })
      .map((all) => Buffer.concat(all.map((part) => (part === '\xff' ? Buffer.from([0xff]) : Buffer.from(part)))));
    fc.assert(
      fc.property(names, names, (one, other) => {
        expect(archiveName(one) === archiveName(other)).toBe(one.equals(other));
      }),
      { numRuns: 5000 },
    );
  });
});
