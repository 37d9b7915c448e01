import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

describe('the catalogue of events', () => {
  it('is what the event types say', () => {
    expect(() => execFileSync(process.execPath, ['scripts/events-catalogue.mjs', '--check'])).not.toThrow();
  });

  it('names the facts that the product stands on', () => {
    const text = readFileSync('docs/events.md', 'utf8');
    for (const type of ['VmHeld', 'BackupCompleted', 'BackupFailed', 'MountOpened', 'EffectRequested', 'Reserved']) {
      expect(text).toContain(`### ${type}`);
    }
  });
});
