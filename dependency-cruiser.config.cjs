/** The import rules of docs/adr: five folders, five questions; the arrows between them are checked here. */
module.exports = {
  forbidden: [
    {
      name: 'domain-is-pure',
      severity: 'error',
      from: { path: '^src/domain', pathNot: '\\.spec\\.ts$' },
      to: { pathNot: '^src/domain' },
    },
    {
      name: 'domain-contexts-are-islands',
      severity: 'error',
      from: { path: '^src/domain/([^/]+)/', pathNot: '^src/domain/kernel/' },
      to: { path: '^src/domain/', pathNot: '^src/domain/(kernel|$1)/' },
    },
    {
      name: 'kernel-knows-no-context',
      severity: 'error',
      from: { path: '^src/domain/kernel' },
      to: { path: '^src/domain/(?!kernel)' },
    },
    {
      name: 'modules-do-not-import-modules',
      severity: 'error',
      from: { path: '^src/modules/([^/]+)/' },
      to: { path: '^src/modules/', pathNot: '^src/modules/$1/' },
    },
    {
      name: 'projections-and-sagas-are-pure',
      severity: 'error',
      from: { path: '^src/(projections|sagas)/', pathNot: '\\.(spec|entity|directory)\\.ts$' },
      to: { pathNot: '^src/(domain|projections|sagas)/' },
    },
    {
      name: 'projections-and-sagas-are-apart',
      severity: 'error',
      from: { path: '^src/sagas' },
      to: { path: '^src/projections' },
    },
    {
      name: 'platform-knows-no-feature',
      severity: 'error',
      from: { path: '^src/platform' },
      to: { path: '^src/(modules|projections|sagas)/' },
    },
    {
      name: 'the-world-is-behind-the-platform',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(platform|(openapi\\.)?main\\.ts)|\\.spec\\.ts$' },
      to: {
        path: '(^|node_modules/)(pg|execa|fs|node:fs|node:fs/promises|fs/promises|child_process|node:child_process|net|node:net)(/|$)',
      },
    },
    {
      name: 'no-test-code-in-production',
      severity: 'error',
      from: { path: '^(src|lab|bench)/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^test/' },
    },
    {
      name: 'product-does-not-need-the-lab',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/main\\.ts$' },
      to: { path: '^lab/' },
    },
    {
      name: 'nothing-needs-the-benches',
      severity: 'error',
      from: { path: '^(src|lab|test)/' },
      to: { path: '^bench/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'] },
  },
};
