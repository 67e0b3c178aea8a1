import { explainLabels, listRunners, type RunnerReport, showRunner } from '../../core/flows/admin/index.ts'
import {
  canonicalLabels,
  hostId,
  LABEL_PATTERN,
  LABELS_MAX,
  type Runner,
  runnerId,
  SlipwayError,
  type SourceStatus,
  templateKey,
} from '../../core/model/index.ts'
import {
  HUB_API_VERSION as v,
  RunnerAnswer,
  type RunnerJson,
  RunnersAnswer,
  RunnersQuery,
  SecretsAnswer,
  WhyAnswer,
  WhyQuery,
} from '../../protocol/hub-api.ts'
import { queryOf } from './input.ts'
import type { Run } from './parts.ts'
import { templatesInForce } from './templates.ts'

export const listRunnersRoute: Run = async (parts, { event }) => {
  const { state, host, template, limit, after } = queryOf(RunnersQuery, event)
  const page = await listRunners(parts, {
    state,
    host: host === undefined ? undefined : hostId(host),
    template: template === undefined ? undefined : templateKey(template),
    limit,
    after: after === undefined ? undefined : runnerId(after),
  })
  const next = page.isLast ? null : (page.runners.at(-1)?.id ?? null)
  const answer = { v, runners: page.runners.map(runnerJson), total: page.total, next }
  return { status: 200, value: RunnersAnswer.parse(answer) }
}

export const showRunnerRoute: Run = async (parts, { param }) => {
  const { runner, timeline, blackBox: crashReport } = await showRunner(parts, runnerId(param))
  const answer = { v, runner: runnerJson(runner), timeline, blackBox: parseCrashReport(crashReport) }
  return { status: 200, value: RunnerAnswer.parse(answer) }
}

export const whyRoute: Run = async (parts, { event }) => {
  const labels = readLabels(queryOf(WhyQuery, event).labels)
  const { templates } = await templatesInForce(parts)
  const sources = (await explainLabels(parts, templates, labels)).map(({ forecast, ...answer }) => ({
    ...answer,
    start: forecast.kind === 'starts' ? { template: forecast.template, host: forecast.host } : null,
    code: forecast.kind === 'waits' ? forecast.reason.code : null,
  }))
  return { status: 200, value: WhyAnswer.parse({ v, labels, sources }) }
}

export const listSecretsRoute: Run = async ({ store, sources }) => {
  const statuses = await store.readSourceStatuses()
  const secrets = sources.map(({ id, tokenParameter }) => {
    const state = statuses.find(({ source }) => source === id)?.state
    const known = secretState(state)
    const problem = state?.kind === 'failing' ? state.message : null
    return { source: id, parameter: tokenParameter, state: known, problem }
  })
  return { status: 200, value: SecretsAnswer.parse({ v, secrets }) }
}

/** `unknown` also without usable templates, because the secret has not been read then. */
function secretState(state: SourceStatus['state'] | undefined): 'unknown' | 'missing' | 'stored' {
  if (state === undefined) return 'unknown'
  if (state.kind === 'secret-missing') return 'missing'
  return state.kind === 'failing' && state.code.startsWith('templates-') ? 'unknown' : 'stored'
}

function readLabels(text: string): readonly string[] {
  const labels = canonicalLabels(text.split(',').map((label) => label.trim()))
  if (labels.length <= LABELS_MAX && labels.every((label) => LABEL_PATTERN.test(label))) return labels
  throw new SlipwayError(
    'query-invalid',
    `The labels in the query are invalid: expected 1 to ${LABELS_MAX} labels separated by commas, each of a-z, 0-9, ".", "_" and "-".`,
  )
}

function runnerJson(runner: Runner): RunnerJson {
  const { id, state, template, host, source, labels, cpuMillis, memoryMib, reservedAt, stop } = runner
  const ended = runner.state === 'gone' ? runner : null
  return {
    runner: id,
    state,
    template,
    host,
    source,
    labels: [...labels],
    cpuMillis,
    memoryMib,
    reservedAt,
    startedAt: 'startedAt' in runner ? runner.startedAt : null,
    goneAt: ended?.goneAt ?? null,
    stop: stop?.reason ?? null,
    outcome: ended?.outcome ?? null,
    code: ended?.code ?? null,
    reason: ended?.reason ?? null,
    exitCode: ended?.exitCode ?? null,
  }
}

/** The crash report as JSON; as text if it is not valid JSON. */
function parseCrashReport(text: RunnerReport['blackBox']): unknown {
  if (text === null) return null
  try {
    return JSON.parse(text)
  } catch {
    // An agent of another version may have written it: showing the text is better than an error.
    return text
  }
}
