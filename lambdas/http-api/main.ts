import { sourceId } from '../../core/model/index.ts'
import { openAdmin } from '../wiring.ts'
import { HttpApiEnv } from './env.ts'
import { httpApiHandler } from './handler.ts'

const env = HttpApiEnv.parse(process.env)

export const handler = httpApiHandler({
  ...openAdmin(env),
  build: env.SLIPWAY_BUILD,
  agentUrl: env.SLIPWAY_AGENT_URL,
  sources: env.SLIPWAY_SOURCES.map(({ id, tokenParameter }) => ({ id: sourceId(id), tokenParameter })),
  fixedTemplates: null,
  templateDefaults: {},
})
