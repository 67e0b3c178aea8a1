import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, Stack } from 'aws-cdk-lib'
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HubBuild } from '../../lib/hub-build.ts'

/** The name of the build of two functions, which stands in the environment of both. */
function buildOf(bundles: Record<string, string>, description = 'any', mode = 'auto'): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-build-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const stack = new Stack(new App(), 'stack')
  const build = new HubBuild()
  build.addSettings('loop', { SLIPWAY_MODE: mode })
  for (const [name, code] of Object.entries(bundles)) {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'index.mjs'), code)
    const added = new LambdaFunction(stack, name, {
      code: Code.fromAsset(join(folder, name)),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      description,
      environment: { SLIPWAY_BUILD: build.name },
    })
    build.add(name, added)
  }
  return String(stack.resolve(build.name))
}

describe('the name of a build', () => {
  const first = { loop: 'export const handler = 1', sweep: 'export const handler = 2' }

  it('is the same for the same bundles, whatever else changes and wherever they were made', () => {
    expect(buildOf(first)).toBe(buildOf(first, 'another'))
    expect(buildOf({ sweep: first.sweep, loop: first.loop })).toBe(buildOf(first))
    expect(buildOf(first)).toMatch(/^[0-9a-f]{16}$/)
  })

  it('is another one once its loop is told to work otherwise, so that it need not wait for its turn', () => {
    expect(buildOf(first, 'any', 'economy')).not.toBe(buildOf(first))
  })

  it('is another one once any bundle changes, or two change places', () => {
    const names = [
      buildOf(first),
      buildOf({ ...first, loop: 'export const handler = 3' }),
      buildOf({ ...first, sweep: 'export const handler = 3' }),
      buildOf({ loop: first.sweep, sweep: first.loop }),
    ]
    expect(new Set(names).size).toBe(names.length)
  })
})
