import { SlipwayError } from '../../core/model/errors.ts'
import { cancelJob, enqueueJobs } from '../rules/jobs.ts'
import { notFound } from '../rules/refusal.ts'
import { sandboxStats } from '../rules/stats.ts'
import { parse, QueueBody } from './bodies.ts'
import { type Answer, type Call, ok, type Route } from './call.ts'
import { authorize } from './provisioner-routes.ts'

/** Routes of the sandbox alone, to queue and read jobs from another process. Jobs have the form of `Job`. */
export const sandboxRoutes: readonly Route[] = [
  { method: 'POST', path: '/sandbox/jobs', generations: ['v1', 'v2'], authorize, handle: queueJobs },
  { method: 'GET', path: '/sandbox/jobs', generations: ['v1', 'v2'], authorize, handle: listJobs },
  { method: 'DELETE', path: '/sandbox/jobs/:id', generations: ['v1', 'v2'], authorize, handle: cancel },
]

function queueJobs(call: Call): Answer {
  const { jobs } = parse(QueueBody, call.body, 'body')
  return { status: 201, body: { jobs: enqueueJobs(call.world, jobs, call.now()) } }
}

function listJobs({ world, now }: Call): Answer {
  return ok({ jobs: [...world.jobs.values()], stats: sandboxStats(world, now()) })
}

function cancel(call: Call): Answer {
  try {
    return ok({ job: cancelJob(call.world, call.params['id'] ?? '', call.now()) })
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'sandbox-job-unknown') throw notFound()
    throw error
  }
}
