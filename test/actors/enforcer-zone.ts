import { openEnforcer } from '../../actors/enforcement/enforcer.ts'
import type { SystemConfig } from '../../actors/system-config/protocol.ts'
import type { Principal } from '../../runtime/actor.ts'
import { Unavailable } from '../../runtime/errors.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import type { CallSettings, Client } from '../../runtime/protocol.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { crypto, failure, peer, policy, settle, testZone, type Running } from './system-config-zone.ts'

export const caller = peer('panel')
const use = { method: 'greet', link: 'link-1' }
export const hubPeer = peer('verify-hub', { runtimeType: 'kernel-service' })

/**
 * A wire between an enforcer and system-config. Cut: nothing that is under way or comes later arrives. Deaf: only what
 * it asks for is answered.
 */
function wireOf(running: () => Running, from: ReturnType<typeof peer>) {
  let cut = false
  let deaf = false
  const alive = <T>(run: () => T): T => {
    if (cut) throw new Unavailable('The wire is cut')
    return run()
  }
  const as = (settings?: CallSettings) => running().as(settings?.token, from)
  const systemConfig = {
    get: async (args: { key: string }, settings?: CallSettings) => alive(() => as(settings).get(args)),
    renewLease: async (args: { lease: string; sequence: number }, settings?: CallSettings) => {
      const answer = await alive(() => as(settings).renewLease(args))
      return alive(() => answer)
    },
    releaseLease: async (args: { lease: string }) => alive(() => running().as(undefined, from).releaseLease(args)),
    async *enforcement(args: { replaces: string }, settings?: CallSettings) {
      for await (const item of alive(() => as(settings).enforcement(args, settings))) {
        if (cut || deaf) await new Promise(() => {})
        yield item
      }
    },
  }
  return {
    systemConfig: systemConfig as unknown as Client<typeof SystemConfig>,
    cut: () => { cut = true },
    mend: () => { cut = false },
    deafen: () => { deaf = true },
  }
}

interface NotesOptions {
  readonly policy?: string
  readonly burn?: (token: string) => Promise<unknown>
  /** The wire is cut when it is opened first, and whole when it is opened again. */
  readonly again?: true
  readonly onceSinceSeconds?: number
}

/** An enforcer of the app `notes`, on the real system-config; its session is renewed by verify-hub's key of then. */
export async function notes(options: NotesOptions = {}) {
  const zone = testZone()
  const running = await zone.booted({ 'system/rbac/policy': options.policy ?? policy })
  let hub = zone.hub
  const newSession = () => zone.tokens.session('notes', { runtime_type: 'service' }, hub)
  let own = newSession()
  const stopping = new AbortController()
  const unbound: { ends(principal: Partial<Principal>): boolean; readonly reason: unknown }[] = []
  const wire = wireOf(() => running, peer('notes'))
  const open = () => openEnforcer({
    appid: 'notes', systemConfig: wire.systemConfig,
    session: { token: () => own, renew: async () => { own = newSession() } },
    ...(options.burn ? { burn: options.burn } : {}),
    ...(options.onceSinceSeconds === undefined ? {} : { onceSinceSeconds: options.onceSinceSeconds }),
    start: {
      keys: crypto, clock: zone.clock, store: createMemoryStore({ clock: zone.clock, random: systemRandom }),
      denials: running.denials, stopping: stopping.signal, background: (task) => void task(),
      log: { info() {}, warn() {}, error() {} },
      unbind: (matches, { details }) => void unbound.push({
        ends: (principal) => matches(principal as Principal), reason: details['reason'],
      }),
    },
  })
  if (options.again) {
    wire.cut()
    await failure(Unavailable, open)
    wire.mend()
  }
  const enforcer = await open()
  const accept = async (token: string) => enforcer.authenticate(token, caller, use)
  const root = () => running.as(zone.tokens.root())
  return {
    zone, running, enforcer, accept, unbound, cut: wire.cut, deafen: wire.deafen, stop: () => stopping.abort(), settle,
    /** Its own session is another from now on. */
    speakBy: (token: string) => { own = token },
    /** Lets time pass in small steps, so that what renews by timers does. */
    async pass(ms: number, stepMs = 250) {
      for (let passed = 0; passed < ms; passed += stepMs) {
        await zone.elapse(Math.min(stepMs, ms - passed))
        await settle()
      }
    },
    revoke: (sid: string) => running.as(zone.tokens.verifyHub(), hubPeer).revoke({
      sessions: [{ sid, until: Math.floor(zone.now / 1000) + 900 }],
    }),
    async writePolicy(value: string) {
      await root().execTx({ actions: { 'system/rbac/policy': { action: 'update', value } } })
    },
    /** The owner says by which keys verify-hub signs; from then on it signs by the last. */
    async rotate(...verifyHub: SigningKey[]) {
      const { revision } = (await root().get({ key: 'boot/config' }))!
      const value = zone.bootConfig({ verifyHub: verifyHub.map((key) => key.public.jwk) })
      hub = verifyHub.at(-1)!
      await root().execTx({
        actions: { 'boot/config': { action: 'update', value } }, mainKey: { key: 'boot/config', revision },
      })
      await settle()
    },
  }
}

/** Whether it has settled by now. */
export async function isSettled(work: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending')
  await settle()
  return await Promise.race([work, Promise.resolve(pending)]) !== pending
}
