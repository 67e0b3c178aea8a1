import { WhyAnswer } from '../../protocol/hub-api.ts'
import { openHubClient } from '../hub-client/client.ts'
import type { HubFlags } from './hub-flags.ts'
import type { CommandIo } from './io.ts'
import { asJson, printable } from './print.ts'

/** `slipway why LABELS…`: why a job with these labels waits, or where it would start. */
export async function whyCommand(labels: readonly string[], flags: HubFlags, io: CommandIo): Promise<number> {
  const query = new URLSearchParams({ labels: labels.join(',') })
  const answer = await openHubClient(flags, io).get(`/api/why?${query.toString()}`, WhyAnswer)
  if (flags.json) io.stdout.write(asJson(answer))
  else if (answer.sources.length === 0)
    io.stdout.write('This hub has no source, so it gets no jobs. Configure a source in its settings.\n')
  else io.stdout.write(answer.sources.map(({ text }) => `${printable(text)}\n`).join(''))
  return 0
}
