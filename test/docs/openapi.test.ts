import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../adapters/memory/index.ts'
import { STATUS_BY_CODE } from '../../lambdas/http-api/failures.ts'
import { ROUTES } from '../../lambdas/http-api/routes.ts'
import { onlineHost, reserved, rid, T0 } from '../contract/store-fixtures.ts'
import { type Api, openApi, yamlOf } from '../lambdas/http-api-fixtures.ts'
import { OPERATIONS, SCHEMAS } from './hub-api-operations.ts'
import { describeHubApi } from './openapi.ts'

const at = (path: string) => new URL(`../../${path}`, import.meta.url)
const packageFile = readFileSync(at('package.json'), 'utf8')
const document = describeHubApi(OPERATIONS, packageFile)

describe('docs/openapi.json', () => {
  it('describes the API as it is (after a change: npm run docs)', async () => {
    await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot('../../docs/openapi.json')
  })

  it('has every route of the handler, and no other', () => {
    const described = OPERATIONS.filter(({ isPublic }) => !isPublic).map(
      ({ method, path }) => `${method.toUpperCase()} ${path.replace(/\{\w+\}$/, '*')}`,
    )
    expect(described.toSorted()).toEqual(ROUTES.map(([method, path]) => `${method} ${path}`).toSorted())
  })

  it('has every code of an error, but that of a route which is not there', () => {
    const described = new Set(OPERATIONS.flatMap(({ errors }) => errors))
    const known = Object.keys(STATUS_BY_CODE).filter((code) => code !== 'route-unknown')
    expect([...described].toSorted()).toEqual(known.toSorted())
  })

  it('refers to nothing that it does not hold', () => {
    const text = JSON.stringify(document)
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference)
    const known = new Set(Object.keys(SCHEMAS).map((name) => `#/components/schemas/${name}`))
    expect(references.filter((reference) => !known.has(reference!))).toEqual([])
  })
})

describe('the answer of each route is the one described', () => {
  let api: Api

  beforeEach(async () => {
    api = openApi(createMemoryStore())
    await onlineHost(api.store)
    await api.store.putRunner(reserved(1), T0)
    for (const basedOn of [0, 1]) {
      const text = yamlOf(basedOn + 1)
      await api.ask('POST', '/api/templates/apply', { v: 1, text, file: 'f', basedOn })
    }
  })

  /** A good request for each operation that needs more than its path. */
  const REQUESTS: Readonly<Record<string, { path?: string; body?: unknown }>> = {
    applyTemplates: { body: { v: 1, text: yamlOf(3), file: 'f', basedOn: 2 } },
    undoTemplates: { body: { v: 1, to: null, basedOn: 2 } },
    addHost: { body: { v: 1, host: 'build-1', tags: [] } },
    removeHost: { path: '/api/hosts/h1' },
    listRunners: { path: '/api/runners?limit=1' },
    getRunner: { path: `/api/runners/${rid(1)}` },
    explainLabels: { path: '/api/why?labels=linux' },
  }

  it.each(OPERATIONS)('$method $path', async ({ id, method, path, status, answer }) => {
    const { path: asked = path, body } = REQUESTS[id] ?? {}
    const answered = await api.ask(method.toUpperCase(), asked, body)
    expect([answered.status, answered.body]).toEqual([status, SCHEMAS[answer].parse(answered.body)])
  })
})
