import { cpus, loadavg, release, totalmem } from 'node:os'
import type Docker from 'dockerode'
import * as z from 'zod'
import type { MachineFacts } from './results.ts'

const Info = z.object({ ServerVersion: z.string(), Driver: z.string() })

/** The machine that a benchmark ran on, as far as its figures depend on it. */
export async function machineFacts(docker: Docker): Promise<MachineFacts> {
  const { ServerVersion, Driver } = Info.parse(await docker.info())
  const [load = 0] = loadavg()
  return {
    cpus: cpus().length,
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    memoryMib: Math.floor(totalmem() / 1024 / 1024),
    kernel: release(),
    node: process.versions.node,
    engine: ServerVersion,
    storageDriver: Driver,
    loadBefore: Math.round(load * 100) / 100,
  }
}
