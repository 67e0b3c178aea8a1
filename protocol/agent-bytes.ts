import type { LaunchOrder } from '../core/model/index.ts'

const encoder = new TextEncoder()

/** Length of a text in UTF-8 bytes. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).length
}

/** A launch order as it is sent: the only place where its secrets are revealed. */
export function revealed(order: LaunchOrder): Record<string, unknown> {
  const secretEnv = Object.fromEntries(
    Object.entries(order.secretEnv).map(([name, secret]) => [name, secret.reveal()]),
  )
  return { ...order, secretEnv }
}
