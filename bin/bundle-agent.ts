/** `npm run bundle:agent`: writes dist/slipway-agent.mjs, the agent for hosts. */
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { bundleAgent } from './agent/bundle.ts'

const folder = fileURLToPath(new URL('../dist', import.meta.url))
await mkdir(folder, { recursive: true })
const { bytes } = await bundleAgent(`${folder}/slipway-agent.mjs`)
console.log(`dist/slipway-agent.mjs, ${Math.ceil(bytes / 1000)} kB`)
