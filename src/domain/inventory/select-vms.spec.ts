import { describe, expect, it } from '@jest/globals';

import { selectVms } from './select-vms.js';

const web = { id: 'uuid-1', name: 'web', path: '/DC1/vm/web' };
const clone = { id: 'uuid-1', name: 'web-clone', path: '/DC1/vm/web-clone' };
const otherWeb = { id: 'uuid-2', name: 'web', path: '/DC1/vm/old/web' };
const vms = [web, clone, otherWeb];

describe('choosing VMs', () => {
  it.each([
    ['a path', '/DC1/vm/old/web', otherWeb],
    ['a VMware id', 'uuid-2', otherWeb],
    ['a name', 'web-clone', clone],
  ])('finds one by %s', (_kind, ref, vm) => {
    expect(selectVms([ref], vms)).toEqual([{ ref, is: 'found', vm }]);
  });

  it('tells all who share a name', () => {
    expect(selectVms(['web'], vms)).toEqual([{ ref: 'web', is: 'ambiguous', candidates: [web, otherWeb] }]);
  });

  it('tells all who share a VMware id, as clones do', () => {
    expect(selectVms(['uuid-1'], vms)).toEqual([{ ref: 'uuid-1', is: 'ambiguous', candidates: [web, clone] }]);
  });

  it('answers every reference, also the unknown ones, in order', () => {
    expect(selectVms(['nobody', 'web-clone'], vms).map(({ ref, is }) => [ref, is])).toEqual([
      ['nobody', 'unknown'],
      ['web-clone', 'found'],
    ]);
  });
});
