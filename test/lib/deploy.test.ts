import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { deployCommands, isPrepared, planDeploy, targetOf } from '../../bin/deploy-plan.ts'
import type { StageSettings } from '../../lib/settings.ts'

/** Parameter Store as far as the question goes; keeps the regions and names that it was asked for. */
async function startParameterStore(status: number, answer: object): Promise<string[]> {
  const asked: string[] = []
  const answerTo = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { Name } = JSON.parse(await text(request)) as { Name: string }
    const region = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(request.headers.authorization ?? '')?.[1]
    asked.push(`${region} ${Name}`)
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(answer))
  }
  const server = createServer((request, response) => void answerTo(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  vi.stubEnv('AWS_ENDPOINT_URL_SSM', `http://127.0.0.1:${address.port}`)
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  onTestFinished(() => {
    vi.unstubAllEnvs()
    server.close()
  })
  return asked
}

const REGION = { region: 'eu-west-1' }
const REGION_VARIABLES = ['AWS_REGION', 'AMAZON_REGION', 'AWS_DEFAULT_REGION', 'AMAZON_DEFAULT_REGION']

/** Stages of somebody else, and an account that notes where it was looked at. */
function worldOf({ prepared }: { prepared: boolean }) {
  const sources = [{ id: 'shipfox', apiUrl: 'https://api.example.com' }]
  const stages: Record<string, StageSettings> = {
    dev: { production: false, sources: [], logRetentionDays: 14 },
    prod: { production: true, sources, logRetentionDays: 14, region: 'eu-west-1' },
  }
  const looked: unknown[] = []
  const look = async (where: unknown): Promise<boolean> => {
    looked.push(where)
    return prepared
  }
  return { stages, defaultStage: 'dev', isPrepared: look, looked }
}

describe('npm run deploy', () => {
  it('deploys, and takes warnings for errors', () => {
    expect(deployCommands(['-c', 'stage=prod'], { isPrepared: true })).toEqual([
      ['deploy', '--strict', '-c', 'stage=prod'],
    ])
  })

  it('prepares the account first where that was never done, for the same stage and profile', () => {
    const args = [
      '-c',
      'stage=prod',
      '--context=shipfoxApiUrl=https://a.example?b=c',
      '--profile',
      'ci',
      '--verbose',
    ]
    expect(deployCommands(args, { isPrepared: false })).toEqual([
      [
        'bootstrap',
        ...['--context', 'stage=prod'],
        ...['--context', 'shipfoxApiUrl=https://a.example?b=c'],
        ...['--profile', 'ci'],
      ],
      ['deploy', '--strict', ...args],
    ])
  })

  it('knows the stage and the profile that are meant', () => {
    expect(targetOf(['--profile=ci', '-c', 'mode=auto', '--verbose'])).toEqual({
      context: { mode: 'auto' },
      profile: 'ci',
    })
    expect(targetOf([])).toEqual({ context: {}, profile: undefined })
  })

  it('looks where the stage is deployed to, and prepares that first', async () => {
    const world = worldOf({ prepared: false })
    const commands = await planDeploy(['-c', 'stage=prod', '--profile', 'ci'], world)
    expect(commands.map(([name]) => name)).toEqual(['bootstrap', 'deploy'])
    expect(world.looked).toEqual([{ region: 'eu-west-1', profile: 'ci' }])
  })

  it('refuses a stage without a source before it touches the account, and takes one from the command line', async () => {
    const world = worldOf({ prepared: false })
    await expect(planDeploy([], world)).rejects.toThrow('Stage "dev" has no source')
    await expect(planDeploy(['-c', 'stage=none'], world)).rejects.toThrow('there is no stage "none"')
    expect(world.looked).toEqual([])
    expect(await planDeploy(['-c', 'shipfoxApiUrl=https://api.example.com'], world)).toHaveLength(2)
  })

  it.each(['--help', '-h'])(
    'lets CDK answer %s, whatever the settings, and prepares nothing',
    async (flag) => {
      const world = worldOf({ prepared: false })
      expect(await planDeploy([flag], world)).toEqual([['deploy', '--strict', flag]])
      expect(world.looked).toEqual([])
    },
  )

  it.each(REGION_VARIABLES)('looks in the region that CDK takes from %s', async (name) => {
    const asked = await startParameterStore(200, { Parameter: { Value: '30' } })
    for (const each of REGION_VARIABLES) vi.stubEnv(each, '')
    vi.stubEnv(name, 'sa-east-1')
    expect(await isPrepared({ region: undefined })).toBe(true)
    expect(asked).toEqual(['sa-east-1 /cdk-bootstrap/hnb659fds/version'])
  })

  it('prefers the same region as CDK where several are named', async () => {
    const asked = await startParameterStore(200, { Parameter: { Value: '30' } })
    for (const [at, name] of REGION_VARIABLES.entries()) vi.stubEnv(name, `eu-west-${at + 1}`)
    await isPrepared({ region: undefined })
    await isPrepared({ region: 'sa-east-1' })
    expect(asked.map((line) => line.split(' ')[0])).toEqual(['eu-west-1', 'sa-east-1'])
  })

  it('sees that the account was prepared', async () => {
    const asked = await startParameterStore(200, { Parameter: { Value: '30' } })
    expect(await isPrepared(REGION)).toBe(true)
    expect(asked).toEqual(['eu-west-1 /cdk-bootstrap/hnb659fds/version'])
  })

  it('sees that it was not', async () => {
    await startParameterStore(400, { __type: 'ParameterNotFound' })
    expect(await isPrepared(REGION)).toBe(false)
  })

  it('prepares nothing where it may not look', async () => {
    await startParameterStore(400, { __type: 'AccessDeniedException' })
    expect(await isPrepared(REGION)).toBe(true)
  })
})
