import type { NewJob } from '../sandbox/index.ts'

/**
 * Every fourth job requires the larger template; each job proves that it ran by printing its nonce. Each label set
 * matches only one template, because a source gives a runner any job that its labels cover.
 */
export function demoJobs(count: number): readonly NewJob[] {
  return Array.from({ length: count }, (_, index) => ({
    labels: index % 4 === 3 ? ['demo', 'large'] : ['demo', 'small'],
    command: `sleep ${1 + (index % 3)}; echo "job ${index + 1} was here: $SLIPWAY_NONCE"`,
  }))
}
