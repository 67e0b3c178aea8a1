import swcVisitor from '@swc/core/Visitor.js'

/** Packages with and without a scope. Which of them nobody else may import stands in the rules further down. */
const ANY_PACKAGE = ['[^/@]+', '@[^/]+/[^/]+']

/**
 * Which folder may import what. Everything that isn't listed here is an error of `npm test`, and so are cycles and
 * imports that don't resolve. Type-only imports count as well. Entries are beginnings of paths.
 */
const MAY_IMPORT = [
  { from: 'core/model/', folders: ['core/model/'] },
  { from: 'core/plan/', folders: ['core/model/', 'core/plan/', 'core/ports/index.ts'] },
  { from: 'core/', folders: ['core/'] },
  { from: 'protocol/', folders: ['protocol/', 'core/'], packages: ['zod'] },
  { from: 'config/', folders: ['config/', 'core/'], packages: ['zod', 'yaml'] },
  // `$1` is the name of the adapter that imports: an adapter never knows another one.
  {
    from: 'adapters/([^/]+)/',
    folders: ['adapters/$1/', 'core/', 'protocol/'],
    packages: ['zod', '@aws-sdk/[^/]+', '@smithy/[^/]+', 'aws-lambda'],
    builtins: true,
  },
  // A function's environment schema is read by the stacks as well, so it brings nothing along.
  { from: 'lambdas/(env|[^/]+/env)\\.ts', folders: ['lambdas/(env|[^/]+/env)\\.ts'], packages: ['zod'] },
  {
    from: 'lambdas/wiring\\.ts',
    folders: ['lambdas/', 'core/', 'config/', 'protocol/', 'adapters/'],
    packages: ['zod', 'aws-lambda', '@aws-sdk/[^/]+', '@smithy/[^/]+'],
    builtins: true,
  },
  {
    from: 'lambdas/',
    folders: ['lambdas/', 'core/', 'config/', 'protocol/', 'adapters/'],
    packages: ['zod', 'aws-lambda'],
    builtins: true,
  },
  {
    from: 'agent/engines/docker',
    folders: ['agent/', 'core/model/', 'core/ports/index.ts', 'protocol/'],
    packages: ['zod', 'dockerode', 'tar-stream'],
    builtins: true,
  },
  {
    from: 'agent/',
    folders: ['agent/', 'core/model/', 'core/ports/index.ts', 'protocol/'],
    packages: ['zod', 'ws'],
    builtins: true,
  },
  { from: 'console/', folders: ['console/', 'protocol/'], packages: ['zod', 'hono'] },
  {
    from: 'local/',
    folders: ['local/', 'core/', 'protocol/', 'config/', 'adapters/', 'lambdas/', 'agent/', 'console/'],
    packages: ANY_PACKAGE,
    builtins: true,
  },
  {
    from: 'lib/',
    folders: ['lib/', 'lambdas/(env|[^/]+/env)\\.ts'],
    packages: ['aws-cdk-lib', 'constructs', 'cdk-nag', 'zod'],
    builtins: true,
  },
  {
    from: 'bin/',
    folders: ['bin/', 'lib/', 'local/'],
    packages: ANY_PACKAGE,
    builtins: true,
  },
]

const PRODUCTION = '^(core|protocol|config|adapters|lambdas|agent|console|local)/'

/** A folder's own entry only: files that a more precise entry above it covers follow that one. */
function ruleFor({ from, folders, packages = [], builtins = false }, index) {
  const morePrecise = MAY_IMPORT.slice(0, index).map((entry) => entry.from)
  return {
    name: `${from} imports only what it may`,
    severity: 'error',
    from: {
      path: `^${from}`,
      ...(morePrecise.length > 0 && { pathNot: morePrecise.map((path) => `^${path}`) }),
    },
    to: {
      ...(builtins ? { dependencyTypesNot: ['core'] } : {}),
      pathNot: [
        ...folders.map((folder) => `^${folder}`),
        ...packages.map((name) => `(^|/)node_modules/(@types/)?${name}/`),
      ],
    },
  }
}

/** swc parses `using` declarations, but the visitor that dependency-cruiser builds on stops at them. */
const { visitStatement } = swcVisitor.Visitor.prototype
swcVisitor.Visitor.prototype.visitStatement = function visitEveryStatement(statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement)
  statement.decls = this.visitVariableDeclarators(statement.decls)
  return statement
}

export default {
  forbidden: [
    ...MAY_IMPORT.map((entry, index) => ruleFor(entry, index)),
    {
      name: 'only tests import tests',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
    {
      name: 'only agent/engines/docker* imports dockerode',
      severity: 'error',
      from: { pathNot: ['^agent/engines/docker', '^test/'] },
      to: { path: '(^|/)node_modules/(@types/)?dockerode/' },
    },
    {
      name: 'only lib/ and bin/ import the AWS CDK',
      severity: 'error',
      from: { pathNot: ['^(lib|bin|test)/'] },
      to: { path: '(^|/)node_modules/(aws-cdk-lib|constructs|cdk-nag)/' },
    },
    { name: 'no cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'every import resolves',
      severity: 'error',
      from: { pathNot: '(^|/)node_modules/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'what runs in production imports no development package, types apart',
      severity: 'error',
      from: { path: PRODUCTION },
      to: { dependencyTypes: ['npm-dev'], pathNot: '(^|/)node_modules/@types/' },
    },
    {
      name: 'every imported package stands in package.json',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    parser: 'swc', // TypeScript 7 has no JavaScript API
    tsPreCompilationDeps: true, // see type-only imports
    doNotFollow: { path: '(^|/)node_modules/' },
    exclude: { path: '^(coverage|cdk\\.out|dist|\\.slipway|\\.git)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.js', '.json', '.d.ts'],
    },
  },
}
