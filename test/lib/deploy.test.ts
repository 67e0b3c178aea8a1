import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { deployCommands, isPrepared, targetOf } from '../../bin/deploy-plan.ts'

/** Parameter Store as far as the question goes; keeps the names that it was asked for. */
async function startParameterStore(status: number, answer: object): Promise<string[]> {
  const asked: string[] = []
  const answerTo = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    asked.push((JSON.parse(await text(request)) as { Name: string }).Name)
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

  it('sees that the account was prepared', async () => {
    const asked = await startParameterStore(200, { Parameter: { Value: '30' } })
    expect(await isPrepared(REGION)).toBe(true)
    expect(asked).toEqual(['/cdk-bootstrap/hnb659fds/version'])
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
