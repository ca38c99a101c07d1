import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { ActorStart } from '../../runtime/actor.ts'
import type { Client } from '../../runtime/protocol.ts'
import { pause } from '../../runtime/within.ts'
import { follow } from '../follow.ts'
import { HostRecord, kv, readRecord } from '../records.ts'
import type { Term } from '../leading.ts'
import type { OwnSession } from '../session.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import type { NodeState } from './liveness.ts'

export interface HostRecordsOptions {
  readonly start: Pick<ActorStart, 'clock' | 'log' | 'stopping' | 'background'>
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'dump' | 'watch'>
  readonly session: Pick<OwnSession, 'token'>
  /** Whoever leads writes; undefined: another does. */
  readonly term: () => Term | undefined
}

export interface HostRecords {
  /** What is known of a host by now. What is only suspected changes no record. */
  tell(node: NodeState): void
  /** Hosts that are of the zone no more have none. */
  keep(hosts: ReadonlySet<string>): void
  /** This host's monitor leads from now on: what is known and not written yet is its to write. */
  led(): void
}

/**
 * `system/hosts/{host}`, for whoever decides by it where services run: written when it changes, and tried again until
 * it is written. A host without a record was never lost.
 */
export function createHostRecords({ start, systemConfig, session, term }: HostRecordsOptions): HostRecords {
  const { clock, log, stopping, background } = start
  /** As they are in `kv://`, since that was read. */
  const written = new Map<string, string>()
  const wanted = new Map<string, HostRecord | undefined>()
  let known = false
  let hosts: ReadonlySet<string> | undefined
  let wake = new AbortController()
  stopping.addEventListener('abort', () => wake.abort())

  const stateOf = (host: string): HostRecord['state'] => {
    const text = written.get(kv.host(host))
    if (text === undefined) return 'alive'
    try {
      return readRecord(HostRecord, kv.host(host), text).state
    } catch {
      return 'alive'
    }
  }
  const want = (host: string, record: HostRecord | undefined): void => {
    wanted.set(host, record)
    wake.abort()
  }
  const keep = (names: ReadonlySet<string> | undefined): void => {
    if (!names) return
    const known = [...[...written.keys()].map((key) => key.slice(kv.hosts.length)), ...wanted.keys()]
    for (const host of known) if (!names.has(host)) want(host, undefined)
  }
  const write = async (leader: Term, host: string, record: HostRecord | undefined): Promise<void> => {
    const key = kv.host(host)
    if (record && stateOf(host) === record.state) return
    if (!record && !written.has(key)) return
    if (!record) {
      await leader.write({ actions: { [key]: { action: 'remove' } } })
      written.delete(key)
      return
    }
    const value = JSON.stringify(record)
    await leader.write({ actions: { [key]: { action: written.has(key) ? 'update' : 'create', value } } })
    written.set(key, value)
  }
  background(() => follow({
    start, systemConfig, session, prefix: kv.hosts,
    onBegin(items) {
      written.clear()
      for (const { key, value } of items) written.set(key, value)
      known = true
      keep(hosts)
      wake.abort()
    },
    onEvent({ type, key, value }) {
      if (type === 'delete') written.delete(key)
      else written.set(key, value)
    },
  }))
  background(async () => {
    let failures = 0
    while (!stopping.aborted) {
      wake = new AbortController()
      const leader = known ? term() : undefined
      const failed = leader ? await writeAll(leader) : false
      failures = failed ? failures + 1 : 0
      if (wanted.size > 0 && !failed && leader) continue
      const waitMs = Math.min(limits.convergeRoundMs, limits.convergeRetryMs * 2 ** Math.min(failures, 16))
      await pause(clock, failed ? waitMs : limits.convergeRoundMs, failed ? stopping : wake.signal)
    }
  })
  /** Each host by itself: one record that cannot be written keeps no other from being. */
  const writeAll = async (leader: Term): Promise<boolean> => {
    let failure: string | undefined
    for (const [host, record] of wanted) {
      try {
        await write(leader, host, record)
        if (wanted.get(host) === record) wanted.delete(host)
      } catch (error) {
        failure = messageOf(error)
      }
    }
    if (failure !== undefined && !stopping.aborted) log.warn(`A record of a host was not written: ${failure}`)
    return failure !== undefined
  }

  return {
    tell({ name: host, state, since }) {
      if (state === 'up') want(host, { host, state: 'alive', since })
      else if (state === 'down') want(host, { host, state: 'lost', since })
    },
    keep(names) {
      hosts = names
      keep(names)
    },
    led: () => wake.abort(),
  }
}
