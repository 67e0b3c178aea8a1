import { describe, expect, it } from 'vitest'
import { startBench } from './client.ts'
import { play } from './transcript.ts'
import { commonTranscripts } from './transcripts/common.ts'
import { v1Transcripts } from './transcripts/v1.ts'
import { v2Transcripts } from './transcripts/v2.ts'

describe.each(['v1', 'v2'] as const)('the sandbox speaks %s and tells', (protocol) => {
  for (const transcript of [...commonTranscripts, ...v1Transcripts, ...v2Transcripts]) {
    if (!transcript.generations.includes(protocol)) continue
    it(transcript.tells, async () => {
      expect.hasAssertions()
      const bench = await startBench({ protocol })
      try {
        await play(bench, transcript.steps)
      } finally {
        await bench.sandbox.close()
      }
    })
  }

  it('that its token was taken back, on every provisioner route', async () => {
    const bench = await startBench({ protocol })
    bench.sandbox.expireToken()
    expect(await bench.call('GET', '/provisioners/me')).toMatchObject({
      status: 401,
      body: { code: 'provisioner-token-expired' },
    })
    bench.sandbox.revokeToken()
    for (const route of ['demand/poll', 'runner-instances/report', 'runner-instances/reconcile']) {
      const answer = await bench.call('POST', `/provisioners/${route}`, {})
      expect(answer).toMatchObject({ status: 401, body: { code: 'provisioner-token-revoked' } })
    }
    await bench.sandbox.close()
  })
})
