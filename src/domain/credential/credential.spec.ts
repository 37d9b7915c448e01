import { describe, it } from '@jest/globals';

import { given } from '../../../test/kit/given.js';
import { credential, type CredentialFacts } from './credential.js';
import { defaultCredential, type DefaultCredentialChosen } from './default-credential.js';

const facts: CredentialFacts = {
  id: '0190a5b2-0000-7000-8000-000000000001',
  credentialNumber: 7,
  name: 'Lab',
  vcenterHost: 'vcenter.example',
  username: 'backup',
  datacenter: 'DC1',
  isActive: true,
  isDefault: false,
  secretRef: 'vault:1',
  fingerprint: 'f00d',
  createdBy: 'user-1',
};

describe('a credential', () => {
  it('is created with what is known of it', () => {
    given(credential)
      .when({ type: 'CreateCredential', credential: facts })
      .then([{ type: 'CredentialCreated', data: facts }]);
  });

  it('is created once, however often that is asked', () => {
    given(credential, [{ type: 'CredentialCreated', data: facts }])
      .when({ type: 'CreateCredential', credential: facts })
      .then([]);
  });
});

const chosen = (id: string, previousId: string | null): DefaultCredentialChosen => ({
  type: 'DefaultCredentialChosen',
  data: { id, previousId },
});

describe('the default credential', () => {
  it('is the first one', () => {
    given(defaultCredential)
      .when({ type: 'ChooseDefault', id: 'a', onlyIfNone: true })
      .then([chosen('a', null)]);
  });

  it('stays when a later one does not ask for it', () => {
    given(defaultCredential, [chosen('a', null)])
      .when({ type: 'ChooseDefault', id: 'b', onlyIfNone: true })
      .then([]);
  });

  it('moves to a later one that asks for it, and tells whose it was', () => {
    given(defaultCredential, [chosen('a', null)])
      .when({ type: 'ChooseDefault', id: 'b', onlyIfNone: false })
      .then([chosen('b', 'a')]);
  });

  it('is not chosen twice', () => {
    given(defaultCredential, [chosen('a', null)])
      .when({ type: 'ChooseDefault', id: 'a', onlyIfNone: false })
      .then([]);
  });
});
