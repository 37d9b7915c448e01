import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { EVENT_TYPES } from '#domain/event-types';

describe('the catalogue of events', () => {
  it('is what the event types say', () => {
    expect(() => execFileSync(process.execPath, ['scripts/events-catalogue.mjs', '--check'])).not.toThrow();
  });

  it('has the types that callers may ask for, all of them and no other', () => {
    const described = [...readFileSync('docs/events.md', 'utf8').matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    expect([...EVENT_TYPES].sort()).toEqual(described.sort());
  });

  it('tells of each type in a sentence', () => {
    const text = readFileSync('docs/events.md', 'utf8');
    const silent = [...text.matchAll(/^### (\w+)\n\n(?=[|#]|$)/gm)].map(([, name]) => name);
    expect(silent).toEqual([]);
  });

  it('names the facts that the product stands on', () => {
    const text = readFileSync('docs/events.md', 'utf8');
    for (const type of ['VmHeld', 'BackupCompleted', 'BackupFailed', 'MountOpened', 'EffectRequested', 'Reserved']) {
      expect(text).toContain(`### ${type}`);
    }
  });
});
