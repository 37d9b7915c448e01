import { describe, expect, it } from '@jest/globals';

import { copyOf } from './life-copies.js';

const SHARED = '01a21fa4-a495-7461-9f83-af29859f9d22';
const OWN = '01a21fa4-a4f9-72ca-902c-0cf275e73cd6';
const event = {
  stream: `backup-${OWN}`,
  revision: '3',
  type: 'BackupStarted',
  text: `${OWN}\t{"vmName": "vm-00000", "repositoryId": "${SHARED}", "path": "a\\\\b"}\t{"schemaVersion": 1}`,
};

describe("the copies of a VM's life", () => {
  it('have names and ids of their own, the same wherever the same was meant, and share what all VMs share', () => {
    const copy = copyOf(event, 42, new Set([SHARED]));
    const stored = copy.asStored('00000000000000000007', new Date(0));
    expect(copy.stream).toBe(`backup-${stored.id}`);
    expect(stored.id).toBe('01a21fa4-a4f9-72ca-902c-0cf275e73d00');
    expect(stored).toMatchObject({ stream: copy.stream, revision: 3n, type: 'BackupStarted' });
    expect(stored.data).toEqual({ vmName: 'vm-00042', repositoryId: SHARED, path: 'a\\b' });
    expect(copyOf(event, 43, new Set()).stream).not.toBe(copy.stream);
  });

  it('are written as COPY takes them', () => {
    expect(copyOf(event, 1, new Set()).text).toContain('"path": "a\\\\\\\\b"');
  });
});
