import {
  hasControlCharacter,
  type Template,
  TEMPLATE_KEY_MAX_CHARACTERS,
  templateKey,
} from '../../core/model/index.ts'
import { quote } from '../issues.ts'
import { nearestName } from '../nearest.ts'
import { childPath } from '../tree.ts'
import { FIELD_NAMES, type Fields, readFields } from './fields.ts'
import type { Draft } from './matrix.ts'

/** The published runner image, for templates without `image`. */
export const DEFAULT_RUNNER_IMAGE = 'shipfox-runner:latest'

/** Values for fields that a template leaves out. */
export interface TemplateDefaults {
  readonly defaultImage: string
  readonly defaultMaxLifetimeMs: number
  readonly defaultStopTimeoutMs: number
}

export const DEFAULTS: TemplateDefaults = {
  defaultImage: DEFAULT_RUNNER_IMAGE,
  /** Same as the default of SHIPFOX_RUNNER_MAX_LIFETIME_SECONDS. */
  defaultMaxLifetimeMs: 3_600_000,
  /** Same as `docker stop`. */
  defaultStopTimeoutMs: 10_000,
}

const REQUIRED: Readonly<Record<'labels' | 'cpu' | 'memory' | 'max_concurrency', string>> = {
  labels: 'a list of labels',
  cpu: 'a number of vCPUs',
  memory: 'an amount such as 2GiB',
  max_concurrency: 'the most runners at once',
}

/** The template, or undefined when the draft is invalid; every issue in it is reported. */
export function readTemplate(draft: Draft, defaults: TemplateDefaults): Template | undefined {
  const keyIsGood = checkKey(draft)
  const fields = readFields(draft.node, draft.issues)
  reportMissing(draft)
  checkWarm(draft, fields)
  const { labels, cpu, memory, max_concurrency: maxConcurrency } = fields
  if (
    !keyIsGood ||
    labels === undefined ||
    cpu === undefined ||
    memory === undefined ||
    maxConcurrency === undefined
  ) {
    return undefined
  }
  return {
    key: templateKey(draft.key),
    labels,
    image: fields.image ?? defaults.defaultImage,
    pull: fields.pull ?? { kind: 'if-not-present' },
    size: { cpuMillis: cpu, memoryMib: memory },
    maxConcurrency,
    targetConcurrency: fields.target_concurrency ?? 0,
    cost: fields.cost ?? cpu / 1000,
    isolation: fields.isolation ?? 'runc',
    hosts: fields.hosts ?? { kind: 'local' },
    perHost: fields.per_host ?? null,
    env: fields.env ?? {},
    maxLifetimeMs: fields.max_lifetime ?? defaults.defaultMaxLifetimeMs,
    stopTimeoutMs: fields.stop_timeout ?? defaults.defaultStopTimeoutMs,
    sources: fields.sources ?? { kind: 'all' },
  }
}

function checkKey({ key, place, issues }: Draft): boolean {
  if (key.length >= 1 && key.length <= TEMPLATE_KEY_MAX_CHARACTERS && !hasControlCharacter(key)) return true
  const expected = `1 to ${TEMPLATE_KEY_MAX_CHARACTERS} characters, none of them a control character`
  issues.add(place, `${quote(key)} is not a valid template key`, { expected })
  return false
}

function reportMissing({ node, place, issues }: Draft): void {
  if (node.kind !== 'map') return
  // A misspelt key was already reported as unknown.
  const unknown = [...node.entries.keys()].filter((name) => !FIELD_NAMES.includes(name))
  const meant = new Set(unknown.map((name) => nearestName(name, FIELD_NAMES)))
  for (const [name, expected] of Object.entries(REQUIRED)) {
    if (node.entries.has(name) || meant.has(name)) continue
    issues.add({ ...place, path: childPath(place.path, name) }, 'is missing', { expected })
  }
}

/** `target_concurrency` counts towards `max_concurrency`, so it must not exceed it. */
function checkWarm({ node, issues }: Draft, fields: Fields): void {
  const { target_concurrency: warm, max_concurrency: max } = fields
  const place = node.kind === 'map' ? node.entries.get('target_concurrency')?.node.place : undefined
  if (warm === undefined || max === undefined || place === undefined || warm <= max) return
  issues.add(place, `is ${warm}, more than max_concurrency`, { expected: `at most ${max}` })
}
