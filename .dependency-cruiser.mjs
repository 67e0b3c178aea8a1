import swcVisitor from '@swc/core/Visitor.js'

/** Packages with and without a scope. Which of them nobody else may import stands in the rules further down. */
const ANY_PACKAGE = ['[^/@]+', '@[^/]+/[^/]+']

/** Schema-only files that import nothing, so that the stack and the code state a fact once. */
const SHARED_FACTS = ['adapters/dynamodb/schema\\.ts', 'adapters/cloudwatch/metric-names\\.ts']

/** The rooms of `core/flows`, each with the rooms that it builds on. */
const FLOW_ROOMS = {
  agent: [],
  planner: ['agent'],
  launch: ['planner', 'agent'],
  source: ['launch', 'planner', 'agent'],
  leadership: ['source', 'launch', 'planner', 'agent'],
  sweep: ['leadership', 'planner', 'agent'],
  admin: ['planner'],
}

/**
 * Which folder may import what. Everything that isn't listed here is an error of `npm test`, and so are cycles and
 * imports that don't resolve. Type-only imports count as well. Entries are beginnings of paths.
 */
const MAY_IMPORT = [
  { from: 'core/model/', folders: ['core/model/'] },
  { from: 'core/ports/', folders: ['core/ports/', 'core/model/'] },
  { from: 'core/concurrency/', folders: ['core/concurrency/', 'core/model/', 'core/ports/clock.ts'] },
  {
    from: 'core/plan/',
    folders: ['core/plan/', 'core/model/', 'core/concurrency/backoff.ts'],
  },
  ...Object.entries(FLOW_ROOMS).map(([room, below]) => ({
    from: `core/flows/${room}/`,
    folders: [
      ...[room, ...below].map((name) => `core/flows/${name}/`),
      'core/flows/[^/]+\\.ts',
      'core/(concurrency|model|plan|ports)/',
    ],
  })),
  { from: 'core/', folders: ['core/'] },
  { from: 'protocol/', folders: ['protocol/', 'core/'], packages: ['zod'] },
  { from: 'config/', folders: ['config/', 'core/'], packages: ['zod', 'yaml'] },
  // Runs before any package is installed, on the oldest Node that the bootstrap supports.
  { from: 'platform/bootstrap/', folders: ['platform/bootstrap/'], builtins: true },
  { from: 'platform/', folders: ['platform/', 'core/model/'], builtins: true },
  { from: SHARED_FACTS[0], folders: [] },
  { from: SHARED_FACTS[1], folders: [] },
  // `$1` is the name of the adapter that imports: an adapter never knows another one.
  {
    from: 'adapters/([^/]+)/',
    folders: ['adapters/$1/', 'core/', 'protocol/', 'platform/'],
    packages: ['zod', '@aws-sdk/[^/]+', '@smithy/[^/]+', 'aws-lambda'],
    builtins: true,
  },
  // A function's environment schema is read by the stacks as well, so it brings nothing along but the core's nouns.
  {
    from: 'lambdas/(env|[^/]+/env)\\.ts',
    folders: ['lambdas/(env|[^/]+/env)\\.ts', 'core/model/'],
    packages: ['zod'],
  },
  {
    from: 'lambdas/wiring\\.ts',
    folders: ['lambdas/', 'core/', 'config/', 'protocol/', 'platform/', 'adapters/'],
    packages: ['zod', 'aws-lambda', '@aws-sdk/[^/]+', '@smithy/[^/]+'],
    builtins: true,
  },
  {
    // Which adapters a function runs on, lambdas/wiring.ts alone decides.
    from: 'lambdas/',
    folders: ['lambdas/', 'core/', 'config/', 'protocol/', 'platform/'],
    packages: ['zod', 'aws-lambda'],
    builtins: true,
  },
  {
    from: 'agent/engines/docker',
    folders: ['agent/', 'core/(model|concurrency|ports)/', 'protocol/', 'platform/'],
    packages: ['zod', 'dockerode', 'tar-stream'],
    builtins: true,
  },
  {
    from: 'agent/',
    folders: ['agent/', 'core/(model|concurrency|ports)/', 'protocol/', 'platform/'],
    packages: ['zod', 'ws'],
    builtins: true,
  },
  { from: 'console/', folders: ['console/', 'protocol/'], packages: ['preact', '@preact/signals', 'uplot'] },
  // Its files are copied into images, where nothing else is.
  { from: 'sandbox/runner/', folders: ['sandbox/runner/'], builtins: true },
  { from: 'sandbox/', folders: ['sandbox/', 'core/', 'platform/'], packages: ['zod'], builtins: true },
  {
    from: 'demo/',
    folders: ['demo/', 'core/', 'config/', 'sandbox/', 'agent/'],
    packages: ['tar-stream'],
    builtins: true,
  },
  {
    from: 'local/',
    folders: ['local/', 'core/', 'config/', 'protocol/', 'platform/', 'adapters/', 'lambdas/', 'agent/'],
    packages: ['zod', 'ws', 'aws-lambda', '@aws-sdk/[^/]+'],
    builtins: true,
  },
  {
    from: 'cli/',
    folders: ['cli/', '(adapters|agent|config|console|core|demo|lambdas|local|platform|protocol|sandbox)/'],
    packages: ANY_PACKAGE,
    builtins: true,
  },
  {
    from: 'lib/',
    folders: ['lib/', 'core/model/', 'lambdas/(env|[^/]+/env)\\.ts', ...SHARED_FACTS],
    packages: ['aws-cdk-lib', 'constructs', 'cdk-nag', 'zod'],
    builtins: true,
  },
  {
    from: 'bin/',
    folders: ['bin/', 'cli/', 'lib/', 'platform/', 'vitest\\.config\\.ts'],
    packages: ANY_PACKAGE,
    builtins: true,
  },
]

const PRODUCTION = '^(core|protocol|config|platform|adapters|lambdas|agent|console|local|sandbox|demo|cli)/'

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
