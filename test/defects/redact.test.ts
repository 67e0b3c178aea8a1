// Spellings of a runner's token in what its job printed.
import { expect, it } from 'vitest'
import { redact } from '../../agent/runners/crash-report.ts'
import { Tail } from '../../agent/engines/tail.ts'
import { Secret } from '../../core/model/index.ts'

const RANDOM_PART = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ'
const TOKEN = `sf_rt_${RANDOM_PART}`
const TAIL_BYTES = 16 * 1_024

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** Long enough to be of use to whoever reads it. */
function startOf(token: string): string {
  return token.slice(0, 20)
}

// The three lengths end at the three places of a base64 group.
it.fails.each(['sf_rt_', 'sf_rbt_', 'sf_rrt_'])(
  'a token %s… in base64 with a line end is hidden',
  (prefix) => {
    const token = prefix + RANDOM_PART
    const shown = redact(base64(`${token}\n`), [new Secret(token)])
    expect(Buffer.from(shown, 'base64').toString()).not.toContain(startOf(token))
  },
)

it.fails('a token in the base64 of a whole environment is hidden', () => {
  const environment = `HOME=/user\nSHIPFOX_RUNNER_REGISTRATION_TOKEN=${TOKEN}\nPWD=/\n`
  const shown = redact(base64(environment), [new Secret(TOKEN)])
  expect(Buffer.from(shown, 'base64').toString()).not.toContain(startOf(TOKEN))
})

it.fails('a token in hexadecimal is hidden', () => {
  const spelled = Buffer.from(TOKEN).toString('hex')
  expect(redact(spelled, [new Secret(TOKEN)])).toBe('[secret]')
})

it.fails('a URL-encoded secret of any kind is hidden', () => {
  const secret = `${RANDOM_PART}/+=`
  const spelled = encodeURIComponent(secret)
  expect(redact(spelled, [new Secret(secret)])).toBe('[secret]')
})

it.fails('a token that the tail of a log cuts is hidden', () => {
  const tail = new Tail(TAIL_BYTES)
  tail.add(Buffer.from(TOKEN + 'x'.repeat(TAIL_BYTES - TOKEN.length + 1)))
  expect(redact(tail.text(), [new Secret(TOKEN)])).not.toContain(TOKEN.slice(1))
})
