import { describe, expect, it } from '@jest/globals';

import { isDatabaseAway } from './database-away.js';

const error = (fields: object, message = 'something') => Object.assign(new Error(message), fields);
const refused = error({ code: 'ECONNREFUSED', syscall: 'connect' });

describe('the database is away', () => {
  it.each([
    ['a connection that was refused', refused],
    ['one that was refused at each address of a name', error({ code: 'ECONNREFUSED', errors: [refused, refused] })],
    ['a socket file that is gone', error({ code: 'ENOENT', syscall: 'connect' })],
    ['a socket file where too many wait', error({ code: 'EAGAIN', syscall: 'connect' })],
    ['a server that shuts down', error({ code: '57P01', severity: 'FATAL' })],
    ['a connection that broke off', error({}, 'Connection terminated unexpectedly')],
    ['a query without an answer', error({}, 'Query read timeout')],
    ['no connection in time', error({}, 'timeout exceeded when trying to connect')],
  ])('by %s', (_what, said) => {
    expect(isDatabaseAway(said)).toBe(true);
  });

  it.each([
    ['a file that is missing', error({ code: 'ENOENT', syscall: 'open' })],
    ['a statement that is wrong', error({ code: '42601', severity: 'ERROR' })],
    ['something else that took too long', error({}, 'the program ran into its timeout')],
    ['nothing', null],
  ])('but not by %s', (_what, said) => {
    expect(isDatabaseAway(said)).toBe(false);
  });
});
