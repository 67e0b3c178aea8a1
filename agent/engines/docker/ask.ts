import type Docker from 'dockerode'
import { Readable } from 'node:stream'

/** A read-only request to the engine. */
export interface Question {
  /** From the root of the API, without the version. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean>>
}

type DialOptions = Parameters<Docker['modem']['dial']>[0]

const STATUSES = { 200: true, 404: 'not found', 500: 'server error' }

/**
 * Requests below dockerode's own methods, for what those do not support: a signal on `version`, `info` and image inspects, and
 * logs as a stream that ends. Resolves with the parsed JSON.
 */
export function ask(docker: Docker, question: Question, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(request(question, signal, false), (error: unknown, answer: unknown) => {
      if (error === null || error === undefined) resolve(answer)
      else reject(asError(error))
    })
  })
}

export function askForStream(docker: Docker, question: Question, signal: AbortSignal): Promise<Readable> {
  return new Promise((resolve, reject) => {
    docker.modem.dial(request(question, signal, true), (error: unknown, answer: unknown) => {
      if (answer instanceof Readable) resolve(answer)
      else reject(asError(error))
    })
  })
}

function request({ path, query = {} }: Question, signal: AbortSignal, isStream: boolean): DialOptions {
  // The client removes the question mark when there is no query.
  const options = { path: `${path}?`, method: 'GET', options: { ...query } }
  return { ...options, abortSignal: signal, isStream, statusCodes: STATUSES }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('the answer was empty', { cause: thrown })
}
