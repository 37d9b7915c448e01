const base = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '@swc/jest' },
  moduleNameMapper: {
    '^#lab/(.*)$': '<rootDir>/lab/$1.ts',
    '^#(?!lab/|ansi|supports)(.*)$': '<rootDir>/src/$1.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
};
const postgres = {
  globalSetup: '<rootDir>/test/kit/postgres.start.ts',
  globalTeardown: '<rootDir>/test/kit/postgres.stop.ts',
};
const project = (displayName, testMatch, extra = {}) => ({ ...base, ...extra, displayName, testMatch });

export default {
  // A shared machine may be slow; what is slow by nature says so itself.
  testTimeout: 30_000,
  projects: [
    project('unit', ['<rootDir>/src/**/*.spec.ts', '<rootDir>/lab/**/*.spec.ts', '<rootDir>/bench/**/*.spec.ts']),
    project('architecture', ['<rootDir>/test/architecture/**/*.spec.ts']),
    project('contract', ['<rootDir>/test/contract/**/*.spec.ts'], postgres),
    project('e2e', ['<rootDir>/test/e2e/**/*.spec.ts'], postgres),
    project('crash', ['<rootDir>/test/crash/**/*.spec.ts'], postgres),
    project('soak', ['<rootDir>/test/soak/**/*.spec.ts'], postgres),
  ],
};
