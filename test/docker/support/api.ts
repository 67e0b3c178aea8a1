import type { Asked } from './http-proxy.ts'

/** The hub's requests to its source. */
export const API = {
  poll: /^POST \/provisioners\/demand\/poll\b/,
  mint: /^POST \/provisioners\/runner-instances\/batch\b/,
} as const

/** True of mints for this template. */
export function mintOf(template: string): (asked: Asked) => boolean {
  return ({ line, body }) => API.mint.test(line) && body.includes(`"template_key":"${template}"`)
}
