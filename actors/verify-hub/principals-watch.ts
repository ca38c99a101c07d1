import type { ActorStart } from '../../runtime/actor.ts'
import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Client } from '../../runtime/protocol.ts'
import { pause } from '../../runtime/within.ts'
import { kv, RecordInvalid, ServiceSpec, UserSettings } from '../records.ts'
import { hasExpired } from '../session.ts'
import type { Vault } from '../vault/protocol.ts'
import type { Hub } from './hub.ts'
import type { Living } from './session-records.ts'
import type { Config } from './zone.ts'

type Start = Pick<ActorStart, 'clock' | 'log' | 'background' | 'stopping'>

interface Parts {
  readonly start: Start
  readonly hub: Hub
  readonly config: Config
  readonly vault: Client<typeof Vault>
}

/** One sort of principal: where it is written, and which sessions fall with it. */
interface Kind {
  readonly prefix: string
  readonly leaf: string
  /** @throws RecordInvalid */
  stands(name: string, text: string): boolean
  nameIn(session: Living): string | null
  /** Its sessions are found by their subject. */
  readonly bySubject: boolean
}

/** It runs on every host, and is no service that somebody installs. */
const NODE_DAEMON = 'node-daemon'

/**
 * Ends the sessions of users who are no longer active, and of devices and services that are gone: as soon as it is
 * written, and at start what was written before.
 */
export function watchPrincipals({ start, hub, config, vault }: Parts): void {
  const { zone } = hub
  const kinds: readonly Kind[] = [
    {
      prefix: 'users/', leaf: 'settings', bySubject: true,
      stands: (name, text) => zone.record(UserSettings, kv.user(name), text).state === 'active',
      nameIn: ({ sub, host }) => (sub === host ? null : sub),
    },
    {
      prefix: 'devices/', leaf: 'doc', bySubject: false,
      stands: (name, text) => zone.device(name, text) !== undefined,
      nameIn: ({ host }) => host,
    },
    {
      prefix: 'services/', leaf: 'spec', bySubject: false,
      stands: (name, text) => zone.record(ServiceSpec, kv.spec(name), text).appid === name,
      nameIn: ({ appid }) => (appid === NODE_DAEMON ? null : appid),
    },
  ]

  const stands = (kind: Kind, name: string, text: string | undefined): boolean => {
    try {
      return text !== undefined && kind.stands(name, text)
    } catch (error) {
      if (error instanceof RecordInvalid) return false
      throw error
    }
  }
  const endOf = async (kind: Kind, isGone: (name: string) => boolean, subject?: string): Promise<void> => {
    const sids: string[] = []
    for await (const living of hub.sessions.living(subject)) {
      const name = kind.nameIn(living)
      if (name !== null && isGone(name)) sids.push(living.sid)
    }
    if (sids.length > 0) await hub.endings.endQuietly(sids, `no longer admitted: ${kind.prefix.slice(0, -1)}`)
  }
  const isDeleted = (name: string, text: string): boolean => {
    try {
      return zone.record(UserSettings, kv.user(name), text).state === 'deleted'
    } catch (error) {
      if (error instanceof RecordInvalid) return false
      throw error
    }
  }
  /** Something else that follows from a record. */
  const follow = async (key: string, text: string | undefined): Promise<void> => {
    const [folder, name = '', leaf] = key.split('/')
    if (key === kv.settings('verify-hub')) hub.risk.follow(text)
    if (folder !== 'users' || leaf !== 'settings') return
    if (text === undefined || isDeleted(name, text)) return await hub.passwords.forget(vault, name)
    const isActive = stands(kinds[0]!, name, text)
    if (!isActive || zone.record(UserSettings, key, text!).compat_password !== true) {
      await hub.passwords.forgetCompat(vault, name)
    }
  }

  /** All of one kind; returns the revision at which that was so. */
  const readAll = async (kind: Kind): Promise<number> => {
    const standing = new Set<string>()
    const others = new Map<string, string>()
    let first: number | undefined
    await zone.refresh(config)
    for (let after = ''; ;) {
      const query = { prefixes: [kind.prefix], leaves: leavesOf(kind), page: { after } }
      const { items, revision, more } = await config.dump(query, { token: zone.token() })
      first ??= revision
      for (const { key, value } of items) {
        const name = nameOf(kind, key)
        if (name !== undefined && stands(kind, name, value)) standing.add(name)
        others.set(key, value)
      }
      if (!more) break
      after = items.at(-1)!.key
    }
    await endOf(kind, (name) => !standing.has(name))
    if (kind.prefix === 'services/') await follow(kv.settings('verify-hub'), others.get(kv.settings('verify-hub')))
    else for (const [key, text] of others) await follow(key, text)
    // What changed while the pages came is looked at again
    return first
  }

  const watch = async (kind: Kind): Promise<void> => {
    const { clock, stopping, log } = start
    let after: number | undefined
    while (!stopping.aborted) {
      try {
        after ??= await readAll(kind)
        const query = { prefix: kind.prefix, after, leaves: leavesOf(kind) }
        const settings = { token: zone.token(), signal: stopping }
        for await (const { type, key, value, revision } of config.watch(query, settings)) {
          const text = type === 'put' ? value : undefined
          await zone.refresh(config)
          const name = nameOf(kind, key)
          if (name !== undefined && !stands(kind, name, text)) {
            await endOf(kind, (gone) => gone === name, kind.bySubject ? name : undefined)
          }
          await follow(key, text)
          after = revision
        }
      } catch (error) {
        if (stopping.aborted) return
        if (!hasExpired(error)) {
          log.warn(`Following ${kind.prefix} failed: ${messageOf(error)}`)
          after = undefined
        }
      }
      await pause(clock, limits.convergeRetryMs, stopping)
    }
  }
  for (const kind of kinds) start.background(() => watch(kind))
}

const leavesOf = ({ leaf }: Kind): string[] => (leaf === 'spec' ? [leaf, 'settings'] : [leaf])

const nameOf = ({ leaf }: Kind, key: string): string | undefined => {
  const [, name, last, ...others] = key.split('/')
  return last === leaf && others.length === 0 ? name : undefined
}
