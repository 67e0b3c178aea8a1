/** A fact that has one owner: whatever else spells it out would have to be changed with it, and would be forgotten. */
export type Fact = {
  /** Completes "… is stated in its owner alone". */
  name: string
  pattern: RegExp
  /** The file that states the fact; all others import it. */
  owner: string
  /** Files that are right to spell it too, each for the reason beside it. */
  besides?: Readonly<Record<string, string>>
  /** Lines that the rule must report anywhere else. */
  examples: readonly string[]
}

const FOREIGN = 'plays a foreign server, or runs where nothing of ours is'

export const FACTS: readonly Fact[] = [
  {
    name: 'the keys of the table',
    pattern: /(?:AttributeName|name): '(?:pk|sk|changed|changedAt)'|'pk\/sk'/,
    owner: 'adapters/dynamodb/schema.ts',
    examples: ["partitionKey: { name: 'pk' }", "{ AttributeName: 'changedAt' }"],
  },
  {
    name: 'the prefix of the partitions of hosts',
    pattern: /['"`]HOST#/,
    owner: 'adapters/dynamodb/schema.ts',
    examples: ["pk.startsWith('HOST#')", '`HOST#${id}`'],
  },
  {
    name: 'the name of the changes index',
    pattern: /INDEX\w* = '|(?:IndexName|indexName): '/,
    owner: 'adapters/dynamodb/schema.ts',
    examples: ["const CHANGES_INDEX = 'changes'", "IndexName: 'changes'"],
  },
  {
    name: 'the namespace and dimension of the metrics',
    pattern: /NAMESPACE = '|[Nn]amespace: 'Slipway'|'Hub'|\bHub: /,
    owner: 'adapters/cloudwatch/metric-names.ts',
    examples: ["const NAMESPACE = 'Slipway'", "Dimensions: [['Hub']]", 'dimensionsMap: { Hub: name }'],
  },
  {
    name: 'the modes of a hub and the form of its busy hours',
    pattern: /\['auto', 'continuous'|'continuous' \| 'economy'|\[1-7\]/,
    owner: 'core/model/run-mode.ts',
    examples: ["z.enum(['auto', 'continuous', 'economy'])", '/^[1-7](?:-[1-7])? /'],
  },
  {
    name: 'the form of names of hosts and sources',
    pattern: /\[a-z0-9-\]\{0,\d\d\}\[a-z0-9\]|1 to 63 of a-z/,
    owner: 'core/model/ids.ts',
    besides: { 'lib/settings.ts': 'a stage is named in a stack, which allows less' },
    examples: ['/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/', '\'1 to 63 of a-z, 0-9 and "-"\''],
  },
  {
    name: 'the end codes of runners',
    pattern: /(?:'orphaned-slot'|'host-removed'),?\n\s*'/,
    owner: 'core/model/runner.ts',
    examples: ["[\n  'orphaned-slot',\n  'container-vanished',\n]"],
  },
  {
    name: 'the pace at which sources are asked',
    pattern: /(?:[pP]ollInterval\w*|reportIntervalMs|registrationDeadlineMs): \d/,
    owner: 'core/model/source-pace.ts',
    examples: ['pollIntervalMs: 1_000,', 'registrationDeadlineMs: 120_000'],
  },
  {
    name: 'the length of a reason in a message',
    pattern: /REASON_MAX\w* = \d/,
    owner: 'core/model/messages.ts',
    besides: { 'adapters/shipfox/wire.ts': "the server's limit, which may change without ours" },
    examples: ['const REASON_MAX_CHARACTERS = 500'],
  },
  {
    name: 'the longest timer of Node',
    pattern: /TIMER_MAX\w* = (?:2 \*\* 31|2_147)/,
    owner: 'core/model/timer.ts',
    besides: { 'sandbox/runner/settings.ts': FOREIGN },
    examples: ['const TIMER_MAX_MS = 2 ** 31 - 1'],
  },
  {
    name: 'how far a reading of changes looks back',
    pattern: /CHANGES_OVERLAP_MS = \d/,
    owner: 'core/model/fleet.ts',
    examples: ['const CHANGES_OVERLAP_MS = 10_000'],
  },
  {
    name: 'the most slots of a host',
    pattern: /SLOTS_MAX = \d|2 \* HOST_RUNNERS_MAX/,
    owner: 'core/model/host.ts',
    examples: ['const SLOTS_MAX = 2 * HOST_RUNNERS_MAX'],
  },
  {
    name: 'which characters are not printable',
    pattern: /\\p\{C[cf]\}|\\u00(?:00|1b|7f|9f)|\\x(?:00|1b|7f)/i,
    owner: 'core/model/control-characters.ts',
    examples: ['text.replaceAll(/\\p{Cc}+/gu, " ")', '/[\\u007f-\\u009f]/', '/\\x1b/'],
  },
  {
    name: 'the shapes of tokens',
    pattern: /sf_\[a-z\]|sf_pt_\[|github_pat_|gh\[a-z\]_/,
    owner: 'core/model/token-shapes.ts',
    besides: { 'sandbox/rules/tokens.ts': FOREIGN },
    examples: ['/sf_[a-z]+_[\\w-]+/g', '/^sf_pt_[A-Za-z0-9_-]{43}$/'],
  },
  {
    name: 'what stands in the place of a secret',
    pattern: /'\[secret\]'/,
    owner: 'core/model/secret.ts',
    examples: ["text.replaceAll(value, '[secret]')"],
  },
  {
    name: 'how the code of a system error is read',
    pattern: /'code' in \w+|\(\w+ as NodeJS\.ErrnoException\)/,
    owner: 'platform/errno.ts',
    besides: { 'sandbox/runner/outcome.ts': FOREIGN },
    examples: ["error instanceof Error && 'code' in error && error.code === 'ENOENT'"],
  },
  {
    name: 'how a file is put in place durably',
    pattern: /\bfsync(?:Sync)?\(|\.sync\(\)/,
    owner: 'platform/durable-file.ts',
    besides: { 'agent/engines/process/runner-folder.ts': 'a claim is made once and never replaced' },
    examples: ['fsyncSync(file)', 'await file.sync()'],
  },
  {
    name: 'which addresses are this machine',
    pattern: /'localhost', '127\.0\.0\.1'/,
    owner: 'platform/loopback.ts',
    examples: ["new Set(['localhost', '127.0.0.1'])"],
  },
  {
    name: 'where Parameter Store is',
    pattern: /`https:\/\/ssm\./,
    owner: 'adapters/ssm/index.ts',
    examples: ['`https://ssm.${region}.${domain}`'],
  },
]

/** Production code: tests and documents state facts on purpose, to notice when one changes. */
export function mayState(path: string): boolean {
  return /\.(?:ts|mts|mjs)$/.test(path) && !/^(?:test|docs|bench)\//.test(path)
}

/** The facts that a file states although another file owns them. */
export function findForeignFacts(path: string, text: string): readonly string[] {
  return FACTS.filter(
    ({ owner, besides = {}, pattern }) =>
      path !== owner && !Object.hasOwn(besides, path) && pattern.test(text),
  ).map(({ name, owner }) => `${path} states ${name}: import ${owner}`)
}
