import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Docker from 'dockerode'
import { parseDockerHost } from '../../agent/engines/docker/connection.ts'
import { askOnTerminal } from '../../cli/setup/ask.ts'
import { ensureDocker } from '../../cli/setup/docker.ts'
import { SlipwayError } from '../../core/model/index.ts'
import { ensureDemoImage } from '../../demo/image.ts'
import type { Bench } from './bench.ts'
import { EngineWatch } from './engine-watch.ts'
import { containersOf, makeGatedImage, removeContainer } from './image.ts'
import { openRoomyEngine } from './roomy-engine.ts'
import { eachOf } from './waiting.ts'

const REMOVALS_AT_ONCE = 4

/** Everything that the parts share; `closers` take it all away again. Throws `bench-engine` for an unfit engine. */
export async function openBench(
  given: Pick<Bench, 'profiles' | 'logs' | 'shape' | 'signal' | 'closers' | 'say'>,
): Promise<Bench> {
  const { closers, say, profiles, logs } = given
  const socketPath = await findEngine(say)
  const docker = new Docker({ socketPath })
  for (const kept of [profiles, logs]) if (kept !== null) await mkdir(kept, { recursive: true })
  const folder = await mkdtemp(join(tmpdir(), 'slipway-bench-'))
  closers.add(() => rm(folder, { recursive: true, force: true }))
  const image = await makeGatedImage(docker, await ensureDemoImage(`unix://${socketPath}`, say))
  closers.add(() => docker.getImage(image).remove({ force: true }))
  closers.add(() => removeAll(docker, image))
  const watch = await EngineWatch.open(docker, image)
  closers.add(async () => watch.close())
  const roomy = await openRoomyEngine(socketPath, join(folder, 'docker.sock'))
  closers.add(() => roomy.close())
  return { ...given, docker, image, watch, roomyAddress: roomy.address, folder }
}

/** The path of its socket: the benchmark is about the engine of this very machine. */
async function findEngine(print: (line: string) => void): Promise<string> {
  const { env, stdin, stderr } = process
  const found = await ensureDocker({ env, isTTY: stdin.isTTY && stderr.isTTY, ask: askOnTerminal, print })
  if (found.state !== 'ready') throw new SlipwayError('bench-engine', `${found.reason} ${found.howTo}`)
  const address = parseDockerHost(found.host)
  if (address.transport === 'unix') return address.path
  const what = `The engine at ${found.host} is not on this machine. Unset DOCKER_HOST, or name a unix:// socket.`
  throw new SlipwayError('bench-engine', what)
}

/** Until none is left: a create that was under way when its agent ended may still come. */
async function removeAll(docker: Docker, image: string): Promise<void> {
  for (
    let found = await containersOf(docker, image);
    found.length > 0;
    found = await containersOf(docker, image)
  )
    await eachOf(found, REMOVALS_AT_ONCE, (id) => removeContainer(docker, id))
}
