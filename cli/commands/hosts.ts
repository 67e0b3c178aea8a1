import { AddHostAnswer, type HostJson, HostsAnswer, RemoveHostAnswer } from '../../protocol/hub-api.ts'
import { openHubClient } from '../hub-client/client.ts'
import { type ChangeFlags, confirmed, type HubFlags } from './hub-flags.ts'
import type { CommandIo } from './io.ts'
import { ago, asJson, printable, table } from './print.ts'

/** `slipway hosts add NAME`: prints the agent's token, which cannot be shown again. */
export async function addHostCommand(
  host: string,
  flags: HubFlags & { readonly tag: readonly string[] },
  io: CommandIo,
): Promise<number> {
  const hub = openHubClient(flags, io)
  const added = await hub.post('/api/hosts', { host, tags: flags.tag }, AddHostAnswer)
  if (flags.json) {
    io.stdout.write(asJson(added))
    return 0
  }
  io.stdout.write(
    [
      `Host ${added.host} is added. Its token is shown only now: the hub keeps only a hash of it.`,
      '',
      'Run on that machine:',
      '',
      `  SLIPWAY_HUB_URL=${added.hubUrl} SLIPWAY_HOST_NAME=${added.host} SLIPWAY_AGENT_TOKEN=${added.token} npm run slipway -- agent`,
      '',
      ...loopbackNote(added.hubUrl),
      `The host gets runners of the templates that list its name or one of its tags under "hosts". Check that it is online: slipway hosts list`,
      '',
    ].join('\n'),
  )
  return 0
}

function loopbackNote(hubUrl: string): readonly string[] {
  if (!['127.0.0.1', 'localhost'].includes(new URL(hubUrl).hostname)) return []
  return [
    `If that is another machine, replace ${new URL(hubUrl).hostname} with the address of this machine. Across a network, put TLS in front of the hub and use wss://.`,
    '',
  ]
}

/** `slipway hosts list`. */
export async function listHostsCommand(flags: HubFlags, io: CommandIo): Promise<number> {
  const { hosts } = await openHubClient(flags, io).get('/api/hosts', HostsAnswer)
  if (flags.json) io.stdout.write(asJson({ hosts }))
  else if (hosts.length === 0) io.stderr.write('There are no hosts yet. Add one: slipway hosts add NAME\n')
  else
    io.stdout.write(
      table(['HOST', 'STATE', 'TAGS', 'RUNNERS', 'VCPU', 'MEMORY', 'SEEN', 'NOTE'], hosts.map(hostRow)),
    )
  return 0
}

function hostRow(host: HostJson): readonly string[] {
  const { used, capacity } = host
  return [
    host.host,
    host.state,
    host.tags.join(','),
    `${used.runners}/${capacity.runners}`,
    `${used.cpuMillis / 1000}/${capacity.cpuMillis / 1000}`,
    `${used.memoryMib}/${capacity.memoryMib}MiB`,
    ago(host.lastSeenAt),
    noteOf(host),
  ]
}

/** The most important problem of a host; empty = none. */
function noteOf(host: HostJson): string {
  if (host.state === 'new') return 'its agent has never connected'
  if (host.state === 'online' && !host.accepting)
    return `accepts no runners: ${host.notAcceptingReason ?? ''}`
  const failed = host.images.find(({ state }) => state === 'failed')
  if (failed !== undefined) return `image ${failed.image} cannot be pulled: ${failed.reason ?? ''}`
  const backing = host.backoffs.filter(({ until }) => until > Date.now())
  return backing.length === 0 ? '' : `in backoff: ${backing.map(({ template }) => template).join(', ')}`
}

/** `slipway hosts remove NAME`: revokes the agent's token; runners on the host are declared lost. */
export async function removeHostCommand(host: string, flags: ChangeFlags, io: CommandIo): Promise<number> {
  const hub = openHubClient(flags, io)
  const question = `Remove host ${printable(host)}? Its token is revoked, and the runners on it are declared lost.`
  if (!(await confirmed(question, flags, io))) {
    io.stderr.write('Nothing was changed.\n')
    return 1
  }
  const removed = await hub.delete(`/api/hosts/${encodeURIComponent(host)}`, RemoveHostAnswer)
  if (flags.json) io.stdout.write(asJson(removed))
  else {
    const rest =
      removed.runners === 0 ? '' : ` Its ${removed.runners} runners are declared lost within two minutes.`
    io.stdout.write(`Host ${removed.host} is removed.${rest}\n`)
  }
  return 0
}
