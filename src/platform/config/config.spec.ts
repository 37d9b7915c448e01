import { describe, expect, it } from '@jest/globals';

import { Config } from './config.js';

describe('settings', () => {
  it.each([
    ['OMA_PORT', ''],
    ['OMA_PORT', ' '],
    ['OMA_PORT', '65536'],
    ['OMA_HOST', ''],
    ['OMA_TRUSTED_PROXIES', ''],
    ['OMA_TRUSTED_PROXIES', 'true'],
    ['OMA_TRUSTED_PROXIES', 'proxy.example'],
    ['OMA_TRUSTED_PROXIES', '10.0.0.1,'],
    ['OMA_TRUSTED_PROXIES', '10.0.0.0/33'],
    ['OMA_TRUSTED_PROXIES', '0.0.0.0/0'],
    ['OMA_TRUSTED_PROXIES', '::/0'],
    ['OMA_TRUSTED_PROXIES', '::ffff:0:0/96'],
    ['OMA_TRUSTED_PROXIES', 'fd00::/129'],
    ['OMA_START_WAIT_SECONDS', ''],
    ['OMA_STOP_WITHIN_SECONDS', '86401'],
    ['OMA_MOUNT_IDLE_SECONDS', 'soon'],
    ['DATABASE_URL', ''],
    ['DATABASE_URL', 'mysql:///oma'],
    ['OMA_ADMIN_PASSWORD', ''],
    ['OMA_MASTER_KEY', ''],
    ['OMA_VMA_URL', 'ftp://127.0.0.1'],
    ['OMA_NBD_PORTS', ''],
    ['OMA_NBD_PORTS', '10200-10100'],
    ['OMA_NBD_PORTS', '0-10'],
    ['OMA_NBD_PORTS', '65000-99999'],
  ])('that can not be used are refused once, by name, without what they say: %s=%j', (name, value) => {
    expect(() => Config.from({ [name]: value })).toThrow(new RegExp(`can't be used:\\n  ${name}: [^\\n]+$`));
    if (value.trim() !== '') expect(() => Config.from({ [name]: value })).not.toThrow(value);
  });

  it.each([
    ['OMA_PORT', 'abc', 'a number'],
    ['OMA_PORT', '0x50', 'a number'],
    ['OMA_PORT', '70000', '<=65535'],
    ['OMA_VMA_URL', 'ftp://agent', 'http://… or https://…'],
    ['DATABASE_URL', 'postgres:///oma', 'postgres://USER:PASSWORD@HOST:PORT/NAME'],
    [
      'DATABASE_URL',
      'postgres://oma@/oma?host=/run/postgresql',
      'postgres://USER:PASSWORD@localhost/NAME?host=/FOLDER',
    ],
  ])('are refused with what they should look like: %s=%s', (name, value, wanted) => {
    expect(() => Config.from({ [name]: value })).toThrow(wanted);
  });

  it('that are not set have a value of their own, and numbers may be written as numbers are', () => {
    expect(Config.from({})).toMatchObject({ port: 8082, host: '127.0.0.1', startWaitSeconds: 60 });
    expect(Config.from({ OMA_PORT: '0', OMA_START_WAIT_SECONDS: '0', OMA_NBD_PORTS: '10100-10100' })).toMatchObject({
      port: 0,
      startWaitSeconds: 0,
      nbdPorts: { first: 10100, last: 10100 },
    });
    expect(Config.from({}).trustedProxies).toEqual([]);
    const proxies = ['10.0.0.1', '192.168.0.0/16', '::1', 'fd00::/8'];
    expect(Config.from({ OMA_TRUSTED_PROXIES: proxies.join(', ') }).trustedProxies).toEqual(proxies);
  });
});
