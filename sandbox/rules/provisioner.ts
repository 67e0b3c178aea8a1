import { randomUUID } from 'node:crypto'
import { SlipwayError } from '../../core/model/errors.ts'
import type { Secret } from '../../core/model/secret.ts'
import type { EpochMs } from '../types.ts'
import { Refusal, unauthorized } from './refusal.ts'
import type { ProvisionerRow } from './rows.ts'
import { hashToken, isProvisionerToken } from './tokens.ts'
import type { World } from './world.ts'

/** Sets the token of the sandbox's provisioner: a new token replaces the old one, the same token changes nothing. */
export function installProvisioner(world: World, token: Secret): void {
  if (!isProvisionerToken(token)) {
    const what = 'The provisioner token of the sandbox must be "sf_pt_" and 43 characters of A-Z a-z 0-9 _ -.'
    throw new SlipwayError('sandbox-token-invalid', `${what} Omit it to generate one.`)
  }
  const tokenHash = hashToken(token)
  const [known] = world.provisioners.values()
  if (known?.tokenHash === tokenHash) return
  const id = known?.id ?? randomUUID()
  const workspaceId = known?.workspaceId ?? randomUUID()
  world.provisioners.put({
    id,
    workspaceId,
    tokenHash,
    token: 'valid',
    mintWindow: { startedAt: 0, requests: 0 },
  })
}

export function provisionerOf(world: World): ProvisionerRow {
  const [provisioner] = world.provisioners.values()
  if (provisioner === undefined) {
    throw new SlipwayError(
      'sandbox-no-provisioner',
      'The sandbox has no provisioner: this is a bug in Slipway.',
    )
  }
  return provisioner
}

/** Accepts the provisioner's token while it is valid, and records the time. */
export function requireProvisioner(world: World, token: Secret | null, now: EpochMs): void {
  const provisioner = provisionerOf(world)
  if (token === null || hashToken(token) !== provisioner.tokenHash) throw unauthorized()
  if (provisioner.token !== 'valid') throw new Refusal(401, `provisioner-token-${provisioner.token}`)
  world.provisionerSeenAt = now
}

export function endProvisionerToken(world: World, how: 'revoked' | 'expired'): void {
  world.provisioners.put({ ...provisionerOf(world), token: how })
}
