import { openHubClient } from '../hub-client/client.ts'
import type { Finding } from '../doctor/finding.ts'
import { examineHub, examineQuota, examineTokens } from '../doctor/hub.ts'
import { examineImages } from '../doctor/images.ts'
import { examineDisk, examineDocker, examineSettings } from '../doctor/machine.ts'
import type { HubFlags } from './hub-flags.ts'
import type { CommandIo } from './io.ts'
import { asJson, printable } from './print.ts'

/** `slipway doctor`: checks everything that a job needs, and says how to fix it. Exit code 1 if a check fails. */
export async function doctorCommand(flags: HubFlags, io: CommandIo): Promise<number> {
  const findings = await examine(flags, io)
  const isWell = findings.every(({ verdict }) => verdict !== 'FAIL')
  io.stdout.write(flags.json ? asJson({ ok: isWell, findings }) : findings.map(lineOf).join(''))
  return isWell ? 0 : 1
}

async function examine(flags: HubFlags, io: CommandIo): Promise<readonly Finding[]> {
  const client = openHubClient(flags, io)
  const { settings, findings: ofSettings } = examineSettings(io.env)
  const [docker, hub] = await Promise.all([
    examineDocker(settings, client.target.kind === 'socket'),
    examineHub(client),
  ])
  const { facts } = hub
  return [
    ...ofSettings,
    ...docker.findings,
    ...hub.findings,
    ...(facts === null ? [] : [...examineTokens(facts), examineQuota(facts)]),
    ...(facts === null ? [] : await examineImages(facts, docker.engine)),
    await examineDisk(settings, docker.engine),
  ]
}

function lineOf({ check, verdict, text, todo }: Finding): string {
  const line = `${verdict.padEnd(4)}  ${check.padEnd(8)}  ${printable(text)}\n`
  return todo === null ? line : `${line}${' '.repeat(16)}→ ${printable(todo)}\n`
}
