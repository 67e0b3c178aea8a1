import { parseTemplates } from '../config/index.ts'
import type { Template } from '../core/model/index.ts'

/** A tenth of a vCPU each, so that twenty jobs run concurrently on two cores. */
const DEMO_TEMPLATES = `
vars:
  image: "\${IMAGE}"
defaults:
  image: "\${{ vars.image }}"
  cpu: 0.1
  max_concurrency: 500
  max_lifetime: 10m
  stop_timeout: 5s
templates:
  demo-small:
    labels: [demo, small]
    memory: 64MiB
  demo-large:
    labels: [demo, large]
    memory: 128MiB
    cost: 2
`

/** The templates of `npm start` with the sandbox. */
export function demoTemplates(image: string): readonly Template[] {
  return parseTemplates(DEMO_TEMPLATES.replace('${IMAGE}', image), 'built-in demo templates').templates
}
