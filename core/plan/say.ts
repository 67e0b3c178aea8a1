import { type Refusal, type RefusalReason, unreachable } from '../model/index.ts'

/** A refusal in words that a person can act on. */
export function sayRefusal(refusal: Refusal): string {
  const jobs = `${refusal.count} ${refusal.count === 1 ? 'job' : 'jobs'} [${refusal.labels.join(', ')}]`
  return `${jobs} of ${refusal.source}: ${sayReason(refusal.reason)}`
}

export function sayReason(reason: RefusalReason): string {
  switch (reason.code) {
    case 'no-template':
      return `no template offers these labels (offered: ${reason.known.join(' | ') || 'none'}); add a template or change the job's labels`
    case 'template-full':
      return `template ${reason.template} is full: max_concurrency is ${reason.maxConcurrency}`
    case 'no-host-assigned':
      return `no host is assigned to template ${reason.template}; set its hosts`
    case 'hosts-offline':
      return `every host of template ${reason.template} is offline (${reason.hosts.join(', ')}); start its agent`
    case 'hosts-not-accepting':
      return `the hosts of template ${reason.template} can't start containers now: ${reason.reason}`
    case 'backing-off':
      return `template ${reason.template} is backing off after failures until ${new Date(reason.until).toISOString()}`
    case 'pulling-image':
      return `pulling image ${reason.image} for template ${reason.template}`
    case 'image-unavailable':
      return `image ${reason.image} of template ${reason.template} can't be had: ${reason.reason}`
    case 'no-room':
      return `not enough ${reason.lacking} free on the hosts of template ${reason.template}`
    case 'too-large':
      return `template ${reason.template} asks for more ${reason.lacking} than any of its hosts has`
    case 'start-rate':
      return `the hosts of template ${reason.template} are starting as many containers as they can`
    case 'waiting-for-share':
      return `room for template ${reason.template} is promised to another source for the moment`
    case 'claiming-stopped':
      return `claiming is stopped: ${reason.reason}`
    default:
      return unreachable(reason)
  }
}
