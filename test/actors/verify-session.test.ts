import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { sessionVerifier } from '../../actors/verify-session.ts'
import type { SystemConfig } from '../../actors/system-config/protocol.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import { limits } from '../../runtime/limits.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { crypto, denied, peer, policy, settle, testZone } from './system-config-zone.ts'

const caller = peer('panel')
const use = { method: 'greet', link: 'link-1' }

/** The app `notes`, on the real system-config; its session is renewed by whatever key verify-hub has then. */
async function notes() {
  const zone = testZone()
  const running = await zone.booted({ 'system/rbac/policy': policy })
  let hub = zone.hub
  const newSession = () => zone.tokens.session('notes', { runtime_type: 'service' }, hub)
  let own = newSession()
  const stopping = new AbortController()
  const systemConfig = {
    get: (args: { key: string }, settings?: { token?: string }) => running.as(settings?.token, peer('notes')).get(args),
    watch: (args: { prefix: string; after: number }, settings?: { token?: string }) =>
      running.as(settings?.token, peer('notes')).watch(args, settings),
  }
  const verifier = await sessionVerifier({
    appid: 'notes', systemConfig: systemConfig as Client<typeof SystemConfig>,
    session: { token: () => own, renew: async () => { own = newSession() } },
    start: {
      keys: crypto, clock: zone.clock, store: createMemoryStore({ clock: zone.clock, random: systemRandom }),
      denials: running.denials, stopping: stopping.signal, background: (task) => void task(),
      log: { info() {}, warn() {}, error() {} },
    },
  })
  const accept = (token: string) => verifier.authenticate(token, caller, use)
  const root = running.as(zone.tokens.root())
  /** The owner says by which keys verify-hub signs; from then on it signs by the last. */
  const rotate = async (...verifyHub: SigningKey[]): Promise<void> => {
    const { revision } = (await root.get({ key: 'boot/config' }))!
    const value = zone.bootConfig({ verifyHub: verifyHub.map((key) => key.public.jwk) })
    hub = verifyHub.at(-1)!
    await root.execTx({
      actions: { 'boot/config': { action: 'update', value } }, mainKey: { key: 'boot/config', revision },
    })
    await settle()
  }
  return { zone, running, verifier, accept, rotate, stop: () => stopping.abort() }
}

const alice = { sub: 'alice', runtime_type: 'user', aud: ['notes'] }

test('a call without a token speaks for nobody whom a service serves, and the denial says so', async () => {
  const { zone, running, verifier, accept, stop } = await notes()
  const self = { sub: 'panel', appid: 'panel', runtimeType: 'kernel-service', sudo: false }
  const call = () => verifier.principal({ principal: self, token: undefined, peer: caller })
  assert.is(await denied(call), 'token/absent')
  assert.is(running.denials.total, 1)
  const token = zone.tokens.session('panel', alice)
  const principal = await accept(token)
  assert.is(verifier.principal({ principal, token, peer: caller }).sub, 'alice')
  stop()
})

test('a verdict about a session is kept for seconds, and never beyond the token', async () => {
  const { zone, accept, stop } = await notes()
  const token = zone.tokens.session('panel', alice)
  assert.is((await accept(token)).expires, zone.now + limits.sessionVerdictMs)
  const end = zone.now + 900_000
  zone.now = end - 1_000
  assert.is((await accept(token)).expires, end)
  zone.now = end
  assert.is(await denied(() => accept(token)), 'token/expired')
  stop()
})

test('a service accepts the keys that boot/config names as soon as it names them', async () => {
  const { zone, accept, rotate, stop } = await notes()
  const token = zone.tokens.session('panel', alice)
  await rotate(zone.hub, zone.other)
  await accept(token)
  await accept(zone.tokens.session('panel', alice, zone.other))
  stop()
})

test('a service whose own session is refused trusts nobody until it has a new one, then whom it should', async () => {
  const { zone, accept, rotate, stop } = await notes()
  const by = (key: SigningKey) => accept(zone.tokens.session('panel', alice, key))
  await by(zone.hub)
  // The key is lost to a thief: it goes at once, and with it the session by which this service follows boot/config
  await rotate(zone.other)
  assert.is(await denied(() => by(zone.hub)), 'token/unknown-key')
  const third = crypto.generate(systemRandom)
  await rotate(third)
  assert.is(await denied(() => by(zone.other)), 'token/unknown-key')
  assert.is(await denied(() => by(third)), 'token/unknown-key', 'it cannot know yet')
  await zone.elapse(limits.convergeRetryMs)
  assert.is((await by(third)).sub, 'alice')
  assert.is(await denied(() => by(zone.other)), 'token/unknown-key')
  stop()
})

test('a token of root is good for one call of a service', async () => {
  const { zone, accept, stop } = await notes()
  const token = zone.tokens.root({ aud: ['notes'] })
  const principal = await accept(token)
  assert.is(principal.sub, 'root')
  assert.is(principal.expires, undefined, 'no link keeps the verdict')
  assert.is(await denied(() => accept(token)), 'token/replayed')
  assert.is(await denied(() => accept(zone.tokens.root())), 'token/audience')
  stop()
})

test('a token that is bound to a key is good for the actor whose link certificate has that key', async () => {
  const { zone, accept, stop } = await notes()
  const bound = (jkt: string): string => zone.tokens.session('panel', { ...alice, cnf: { jkt } })
  assert.is((await accept(bound(caller.kid))).sub, 'alice')
  assert.is(await denied(() => accept(bound('another-key'))), 'token/holder')
  stop()
})

test('a service trusts no device, not even that of its own host', async () => {
  const { zone, accept, stop } = await notes()
  assert.is(await denied(() => accept(zone.tokens.device({ aud: ['notes'] }))), 'token/unknown-key')
  stop()
})

test.run()
