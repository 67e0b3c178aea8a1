import { type Refusal, type RefusalReason, unreachable } from '../../model/index.ts'

/** A refusal as one sentence, with what a person can do about it. */
export function formatRefusal(refusal: Refusal): string {
  const jobs = `${refusal.count} ${refusal.count === 1 ? 'job' : 'jobs'} [${refusal.labels.join(', ')}]`
  return `${jobs} of ${refusal.source}: ${formatReason(refusal.reason)}`
}

export function formatReason(reason: RefusalReason): string {
  switch (reason.code) {
    case 'no-template':
      return `no template offers these labels (offered: ${reason.known.join(' | ') || 'none'}); add a template or change the job's labels`
    case 'template-full':
      return `template ${reason.template} is full: max_concurrency is ${reason.maxConcurrency}; wait for a runner to end, or raise it`
    case 'no-host-assigned':
      return `no host is assigned to template ${reason.template}; change its hosts, or add a host with that name or tag`
    case 'hosts-offline':
      return `every host that could hold template ${reason.template} is offline (${reason.hosts.join(', ')}); start the agent of one of them`
    case 'hosts-not-accepting':
      return `the hosts of template ${reason.template} can't start containers now: ${reason.reason}; they resume once this is fixed`
    case 'backing-off':
      return `template ${reason.template} is backing off after failures until ${new Date(reason.until).toISOString()}; check why its last runners failed`
    case 'pulling-image':
      return `pulling image ${reason.image} for template ${reason.template}; wait until a host has it`
    case 'image-unavailable':
      return `image ${reason.image} of template ${reason.template} cannot be pulled: ${reason.reason}; check its name, and that the hosts may pull it`
    case 'no-room':
      return reason.lacking === 'slots'
        ? `the hosts of template ${reason.template} are at their limit of runners (per_host, or the host's own limit); wait for a runner to end, raise the limit, or add a host`
        : `not enough ${reason.lacking} free on the hosts of template ${reason.template}; wait for a runner to end, or add a host`
    case 'too-large':
      return `no host of template ${reason.template} is large enough (${reason.lacking}); make the template smaller or add a larger host`
    case 'start-rate':
      return `the hosts of template ${reason.template} are starting as many containers as they can; wait, or add a host`
    case 'waiting-for-share':
      return `the free capacity for template ${reason.template} is promised to another source for now; wait, or add a host`
    case 'claiming-stopped':
      return `claiming is stopped: ${reason.reason}`
    default:
      return unreachable(reason)
  }
}
