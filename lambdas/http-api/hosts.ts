import { addHost, type HostReport, removeHost, reportHosts } from '../../core/flows/admin/index.ts'
import { hostId } from '../../core/model/index.ts'
import {
  AddHostAnswer,
  AddHostRequest,
  type HostJson,
  HostsAnswer,
  HUB_API_VERSION as v,
  RemoveHostAnswer,
} from '../../protocol/hub-api.ts'
import { hashAgentToken, newAgentToken } from '../../platform/agent-token.ts'
import { bodyOf } from './input.ts'
import type { Run } from './parts.ts'

export const listHostsRoute: Run = async (parts) => {
  const hosts = (await reportHosts(parts)).map(hostJson)
  return { status: 200, value: HostsAnswer.parse({ v, hosts }) }
}

/** The only place where the hub returns an agent's token. */
export const addHostRoute: Run = async (parts, { by, event }) => {
  const { host, tags } = bodyOf(AddHostRequest, event)
  const id = hostId(host)
  const token = newAgentToken(id)
  await addHost(parts, by, { id, tags: [...new Set(tags)], tokenHash: hashAgentToken(token) })
  const answer = { v, host, token: token.reveal(), hubUrl: parts.agentUrl }
  return { status: 201, value: AddHostAnswer.parse(answer) }
}

export const removeHostRoute: Run = async (parts, { by, param }) => {
  const id = hostId(param)
  const { runners } = await removeHost(parts, by, id)
  return { status: 200, value: RemoveHostAnswer.parse({ v, host: id, runners }) }
}

function hostJson({ host, liveness, images }: HostReport): HostJson {
  const slots = [...host.slots.values()]
  const { id, tags, state, stateSince, accepting, notAcceptingReason, capacity } = host
  return {
    host: id,
    tags: [...tags],
    state,
    stateSince,
    lastSeenAt: liveness?.lastSeenAt ?? null,
    accepting,
    notAcceptingReason,
    capacity,
    used: {
      runners: slots.length,
      cpuMillis: slots.reduce((sum, slot) => sum + slot.cpuMillis, 0),
      memoryMib: slots.reduce((sum, slot) => sum + slot.memoryMib, 0),
    },
    startsPerMinute: liveness?.startsPerMinute ?? null,
    backoffs: [...host.backoffs].map(([template, backoff]) => ({ template, ...backoff })),
    images: [...images].map(([image, known]) => {
      return { image, state: known.state, reason: known.state === 'failed' ? known.reason : null }
    }),
  }
}
