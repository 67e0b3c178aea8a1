import { getEventListeners } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { connectHub } from '../../../agent/hub/connection.ts'
import { Secret } from '../../../core/model/index.ts'
import { SILENT_LOG } from '../../support/event-recorder.ts'

const log = SILENT_LOG
let server: Server | null = null
afterEach(() => server?.close())

it('a dial that fails leaves nothing behind, however often it is tried', async () => {
  server = createServer((_, response) => response.writeHead(401).end())
  await new Promise<void>((resolve) => {
    server!.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const { signal } = new AbortController()
  const dial = (url: string) => connectHub({ url, token: new Secret('t'), log, signal })
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await expect(dial(`ws://127.0.0.1:${port}`)).rejects.toMatchObject({ status: 401 })
    await expect(dial('ws://127.0.0.1:1')).rejects.toThrow(/ECONNREFUSED/)
  }
  expect(getEventListeners(signal, 'abort')).toEqual([])
})
