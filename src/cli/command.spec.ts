import { describe, expect, it } from '@jest/globals';

import { Misuse, readCommand } from './command.js';

const read = (line: string) =>
  readCommand(line === '' ? [] : line.split(' ').map((word) => (word === "''" ? '' : word)));

describe('a command line', () => {
  it.each([
    ['', 'there is no command'],
    ['other', 'there is no command "other"'],
    ['projections', '"projections" needs an action: list, status, rebuild, verify, retry, cancel, skip'],
    ['projections lst', '"projections" has no action "lst"; it has list, status, rebuild, verify, retry, cancel, skip'],
    ['projections list --loud', "Unknown option '--loud'"],
    ['projections list --json=yes', "Option '--json' does not take an argument"],
    ['projections rebuild job --reason', "Option '--reason <value>' argument missing"],
    ['projections rebuild job --reason --json', "Option '--reason' argument is ambiguous"],
    ['projections status job audit', '"status" takes one name, and "audit" is one too many'],
    ["projections status ''", '"status" was given an empty name'],
    ['projections list --all', '"list" does not take --all'],
    ['projections list --reason because', '"list" does not take --reason: it changes nothing'],
    ['projections rebuild', '"rebuild" needs names, or --all'],
    ['projections verify --all job', '"verify" takes --all or names, and "job" is a name'],
    ['projections retry', '"retry" needs a name'],
    ['projections retry --all', '"retry" does not take --all'],
    ['projections cancel job audit', '"cancel" takes one name, and "audit" is one too many'],
    ['projections skip', '"skip" needs a name'],
    ['projections skip job', '"skip" needs the id of the event, which "status" tells'],
    ['projections skip job e-1', '"skip" needs --reason with a text'],
    ["projections skip job e-1 --reason ''", '"skip" needs --reason with a text'],
    ['projections skip job e-1 e-2 --reason x', '"skip" takes a name and one event, and "e-2" is one too many'],
  ])('that says "%s" is told what is wrong with it', (line, message) => {
    expect(() => read(line)).toThrow(new Misuse(message));
  });

  it('is read with its names, event and reason', () => {
    expect(read('projections rebuild job audit --reason why --json')).toEqual({
      action: 'rebuild',
      names: ['job', 'audit'],
      eventId: '',
      reason: 'why',
      json: true,
    });
    expect(read('projections verify --all')).toMatchObject({ action: 'verify', names: [] });
    expect(read('projections skip job e-1 --reason why')).toMatchObject({ names: ['job'], eventId: 'e-1' });
    expect(read('projections rebuild --help')).toBe('help');
  });
});
