import type { ActorStart, Evidence, Handlers, Log, Peer } from '../../../runtime/actor.ts'
import { noCarriage } from '../../../runtime/carriage.ts'
import { RevisionMismatch } from '../../../runtime/errors.ts'
import type { Files, Platform } from '../../../runtime/platform/ports.ts'
import type { Client } from '../../../runtime/protocol.ts'
import type { SimulatedProcess } from '../../../runtime/sim/simulate.ts'
import type { Store } from '../../../runtime/store/store.ts'
import { createDenialLog } from '../../../runtime/trust/denial.ts'
import type { SystemConfig } from '../../../actors/system-config/protocol.ts'
import type { Vault } from '../../../actors/vault/protocol.ts'

export const OOD = 'ood1'
export const ZONE = 'zone.local'

export interface GivenStart {
  readonly platform: Platform
  readonly actor: string
  readonly incarnation: number
  readonly store: Store
  readonly files: () => Promise<Files>
  readonly secrets: Readonly<Record<string, string>>
  readonly stopping: AbortSignal
  readonly onLog: (level: keyof Log, message: string, fields: Evidence | undefined) => void
  readonly onFailure: (error: unknown) => void
}

/**
 * What an actor is started with, without a worker, links and a supervisor around it: what these do all the time, as
 * heartbeats, is most of what ten years would cost, and nothing of it knows certificates.
 */
export function startOf(given: GivenStart): ActorStart<{}> {
  const { platform: { clock, random, keys, transport }, store, files, secrets, stopping, onLog, onFailure } = given
  const say = (level: keyof Log) => (message: string, fields?: Evidence): void => onLog(level, message, fields)
  return {
    store, files, clock, random: random.fork(given.actor), keys, transport, secrets, stopping, needs: {}, env: {},
    log: { info: say('info'), warn: say('warn'), error: say('error') },
    background: (task) => void task().catch(onFailure),
    step() {},
    denials: createDenialLog({ random: random.fork('denials'), clock, onDenial: () => {} }),
    roleOf: (host) => (host === OOD ? 'ood' : 'node'),
    unbind() {},
    count() {},
    gauge() {},
    ...noCarriage,
    self: {
      zone: ZONE, host: OOD, actor: given.actor, runtimeType: 'kernel-service', incarnation: given.incarnation,
      linkKid: `${given.actor}-${given.incarnation}`,
    },
  }
}

/** Known by its link in a zone; here by what it says of itself. */
export const peerOf = (actor: string, incarnation: number): Peer => ({
  zone: ZONE, host: OOD, actor, runtimeType: actor === 'supervisor' ? 'ood' : 'kernel-service', incarnation,
  kid: `${actor}-link-${incarnation}`,
})

/** The vault as one of its callers has it. */
export function clientOf(handlers: Handlers<typeof Vault>, peer: Peer): Client<typeof Vault> {
  const methods = handlers as unknown as Readonly<Record<string, (args: unknown, cx: unknown) => Promise<unknown>>>
  return new Proxy({}, {
    get: (_, method) => async (args: unknown) => methods[String(method)]!(args, { peer }),
  }) as Client<typeof Vault>
}

export type Records = Pick<Client<typeof SystemConfig>, 'get' | 'execTx' | 'dump'>

/**
 * What the certificate manager publishes lies in a store, as in a zone. That a token of a session of 15 minutes goes
 * with each call is left out: system-config has its own runs for that, and ten years of it would be heartbeats.
 */
export function recordsOf(store: Store): Records {
  const decode = (value: Uint8Array): string => new TextDecoder().decode(value)
  const records = {
    async get({ key }: { key: string }) {
      const found = await store.get(key)
      return found ? { value: decode(found.value), revision: found.modRevision } : null
    },
    /** Of what the certificate manager does: one key, which is there as it was read. */
    async execTx({ actions, mainKey }: Parameters<Records['execTx']>[0]) {
      const [[key, action]] = Object.entries(actions) as [[string, (typeof actions)[string]]]
      const value = 'value' in action ? new TextEncoder().encode(action.value) : undefined
      const result = await store.transact([{ key, modRevision: mainKey!.revision }],
        [value ? { type: 'put', key, value } : { type: 'delete', key }])
      if (!result.succeeded) throw new RevisionMismatch(`Another was faster: ${key}`)
      return { revision: result.revision }
    },
    async dump({ prefixes = [''] }: { prefixes?: readonly string[] }) {
      const listings = await Promise.all(prefixes.map((prefix) => store.list(prefix)))
      const items = listings.flatMap(({ entries }) => entries.map(({ key, value, modRevision }) =>
        ({ key, value: decode(value), revision: modRevision })))
      return { items, revision: listings[0]?.revision ?? 0 }
    },
  }
  return records as unknown as Records
}

/** What follows is done by this process; by nobody, if it has ended. */
export const enter = ({ platform: { clock } }: SimulatedProcess): Promise<void> =>
  new Promise((resolve) => clock.soon(resolve))
