import { describe, expect, it } from '@jest/globals';

import { given } from '../../../test/kit/given.js';
import { RepositoryNameTaken, RepositoryPathTaken } from './repository.errors.js';
import { repository, type RepositoryFacts } from './repository.js';
import { isWithin, repositoryPlace, type RepositoryPlaceReserved } from './repository-place.js';

const facts: RepositoryFacts = {
  repositoryId: 'repo-1',
  name: 'Main',
  type: 'local',
  path: '/backups/main',
  enabled: true,
  isImmutable: false,
  minRetentionDays: 0,
};

describe('a repository', () => {
  it('is created with what is known of it', () => {
    given(repository)
      .when({ type: 'CreateRepository', repository: facts })
      .then([{ type: 'RepositoryCreated', data: facts }]);
  });

  it('is created once, however often that is asked', () => {
    given(repository, [{ type: 'RepositoryCreated', data: facts }])
      .when({ type: 'CreateRepository', repository: facts })
      .then([]);
  });
});

const place = (by: string, name: string, path: string): RepositoryPlaceReserved => ({
  type: 'RepositoryPlaceReserved',
  data: { by, label: name, creates: { category: 'repository', command: {} }, name, path },
});
const reserve = (by: string, name: string, path: string) =>
  ({ type: 'ReservePlace', ...place(by, name, path).data }) as const;

describe('the places of repositories', () => {
  const taken = [place('repo-1', 'Main', '/backups/main')];

  it('are reserved with the command that creates the repository', () => {
    given(repositoryPlace, taken)
      .when(reserve('repo-2', 'Second', '/backups/second'))
      .then([place('repo-2', 'Second', '/backups/second')]);
  });

  it.each(['Main', 'main', 'MAIN', 'ＭＡＩＮ', ' main '])('refuse the taken name as "%s"', (name) => {
    given(repositoryPlace, taken)
      .when(reserve('repo-2', name, '/backups/second'))
      .then(RepositoryNameTaken);
  });

  it.each(['/backups/main', '/backups/main/inner', '/backups', '/'])('refuse %s beside /backups/main', (path) => {
    given(repositoryPlace, taken)
      .when(reserve('repo-2', 'Second', path))
      .then(RepositoryPathTaken);
  });

  it('allow a directory whose name only begins the same', () => {
    given(repositoryPlace, taken)
      .when(reserve('repo-2', 'Second', '/backups/main2'))
      .then([place('repo-2', 'Second', '/backups/main2')]);
  });

  it('know that everything is within the root', () => {
    expect(isWithin('/', '/srv')).toBe(true);
    expect(isWithin('/srv', '/')).toBe(false);
  });
});
