import { type Refusal, type RefusalReason, unreachable } from '../../model/index.ts'

/** A refusal in words that a person can act on. */
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
      return `no host is assigned to template ${reason.template}; set its hosts, or add the host that they name`
    case 'hosts-offline':
      return `every host that could hold template ${reason.template} is offline (${reason.hosts.join(', ')}); start its agent`
    case 'hosts-not-accepting':
      return `the hosts of template ${reason.template} can't start containers now: ${reason.reason}; they go on once that is mended`
    case 'backing-off':
      return `template ${reason.template} is backing off after failures until ${new Date(reason.until).toISOString()}; look at why its last runners failed`
    case 'pulling-image':
      return `pulling image ${reason.image} for template ${reason.template}; wait until a host has it`
    case 'image-unavailable':
      return `image ${reason.image} of template ${reason.template} can't be had: ${reason.reason}; check its name, and that the hosts may pull it`
    case 'no-room':
      return reason.lacking === 'slots'
        ? `the hosts of template ${reason.template} hold as many runners as they may (per_host, or the host's own cap); wait for a runner to end, raise the cap, or add a host`
        : `not enough ${reason.lacking} free on the hosts of template ${reason.template}; wait for a runner to end, or add a host`
    case 'too-large':
      return `no host of template ${reason.template} is large enough (${reason.lacking}); make the template smaller or add a larger host`
    case 'start-rate':
      return `the hosts of template ${reason.template} are starting as many containers as they can; wait, or add a host`
    case 'waiting-for-share':
      return `room for template ${reason.template} is promised to another source for the moment; wait, or add a host`
    case 'claiming-stopped':
      return `claiming is stopped: ${reason.reason}`
    default:
      return unreachable(reason)
  }
}
