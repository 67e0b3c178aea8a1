import type { FleetStore } from '../../core/ports/index.ts'
import type { GroupCommit } from './group-commit.ts'
import { HOST_CHANGED, HostReader } from './host-rows.ts'

type HostMethods = Pick<
  FleetStore,
  'addHost' | 'getHost' | 'replaceToken' | 'raiseFence' | 'setBackoff' | 'declareDead' | 'removeHost'
>

export function hostMethods(connection: GroupCommit): HostMethods {
  const hosts = new HostReader(connection)
  // Revision and epoch start at the time of adding, above those of a host of that name that was removed before.
  const add = connection.prepare(
    `INSERT INTO hosts (id, tags, token_hash, state, state_since, epoch, fence, max_runners, cpu_millis, memory_mib,
       accepting, revision, changed_at)
     VALUES (:id, :tags, :tokenHash, 'new', :now, :epoch, 0, 0, 0, 0, 0, :revision, :now)
     ON CONFLICT (id) DO NOTHING`,
  )
  const replaceToken = connection.prepare(
    `UPDATE hosts SET token_generation = token_generation + (token_hash <> :tokenHash), token_hash = :tokenHash,
       ${HOST_CHANGED}
     WHERE id = :host`,
  )
  // Not told to readers of changes: the caller is the one who plans, and has the answer.
  const raiseFence = connection.prepare(
    'UPDATE hosts SET fence = :fence, revision = revision + 1 WHERE id = :id AND fence < :fence',
  )
  const declareDead = connection.prepare(
    `UPDATE hosts SET state = 'dead', state_since = :now, ${HOST_CHANGED}
     WHERE id = :host AND state = 'offline' AND revision = :revision`,
  )
  const removals = ['hosts WHERE id', 'liveness WHERE host', 'image_lists WHERE host'].map((which) =>
    connection.prepare(`DELETE FROM ${which} = ?`),
  )

  return {
    addHost: ({ id, tags, tokenHash, now }) =>
      connection.write(() => {
        const start = { epoch: Math.floor(now / 1000), revision: Math.floor(now) }
        const added = add.run({ id, tags: JSON.stringify(tags), tokenHash, now, ...start })
        // A token is made once, so its hash tells a repeat of this call from another host of the name.
        return added.changes === 1 || hosts.read(id)?.tokenHash === tokenHash
      }),

    getHost: (id) => connection.read(() => hosts.read(id)),

    replaceToken: ({ host, tokenHash, now }) =>
      connection.write(() => replaceToken.run({ host, tokenHash, now }).changes === 1),

    raiseFence: (id, fence) =>
      connection.write(() => {
        raiseFence.run({ id, fence })
        return hosts.read(id)
      }),

    setBackoff: backoffMethod(connection),

    declareDead: ({ host, revision, now }) =>
      connection.write(() => {
        if (declareDead.run({ host, revision, now }).changes === 1) return true
        const found = hosts.read(host)
        return found?.state === 'dead' && found.revision === revision + 1
      }),

    removeHost: (id) =>
      connection.write(() => {
        for (const remove of removals) remove.run(id)
      }),
  }
}

function backoffMethod(connection: GroupCommit): FleetStore['setBackoff'] {
  const set = connection.prepare(
    `INSERT INTO backoffs (host, template, failures, until)
     SELECT id, :template, :failures, :until FROM hosts WHERE id = :host
     ON CONFLICT (host, template) DO UPDATE SET failures = excluded.failures, until = excluded.until`,
  )
  const clear = connection.prepare('DELETE FROM backoffs WHERE host = :host AND template = :template')
  const touch = connection.prepare(`UPDATE hosts SET ${HOST_CHANGED} WHERE id = :host`)

  return ({ host, template, backoff, now }) =>
    connection.write(() => {
      const { changes } =
        backoff === null
          ? clear.run({ host, template })
          : set.run({ host, template, failures: backoff.failures, until: backoff.until })
      if (changes === 1) touch.run({ host, now })
    })
}
