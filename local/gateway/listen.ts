import type { Server } from 'node:http'
import { SlipwayError } from '../../core/model/index.ts'

/** Resolves with the port; 0 = any free port. Throws `hub-listen`. */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const what = `The hub can't listen on ${host}:${port}: ${cause.message}. Set SLIPWAY_HUB_PORT to a free port.`
      reject(new SlipwayError('hub-listen', what, { cause }))
    })
    server.listen(port, host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

/** Resolves once the server has closed; at once if it never listened. */
export function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}
