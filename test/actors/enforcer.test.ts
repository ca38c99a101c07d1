import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { caller, hubPeer, isSettled, notes } from './enforcer-zone.ts'
import { crypto, denied, policy, settle } from './system-config-zone.ts'

const alice = { sub: 'alice', runtime_type: 'user', aud: ['notes'] }

test('a call without a token speaks for nobody whom a service serves, and the denial says so', async () => {
  const { zone, running, enforcer, accept, stop } = await notes()
  const self = { sub: 'panel', appid: 'panel', runtimeType: 'kernel-service', sudo: false }
  const call = () => enforcer.principal({ principal: self, token: undefined, peer: caller })
  assert.is(await denied(call), 'token/absent')
  assert.is(running.denials.total, 1)
  const token = zone.tokens.session('panel', alice)
  const principal = await accept(token)
  assert.is(enforcer.principal({ principal, token, peer: caller }).sub, 'alice')
  stop()
})

test('a verdict about a session is kept as long as the lease, and never beyond the token', async () => {
  const { zone, accept, pass, stop } = await notes()
  const token = zone.tokens.session('panel', alice)
  assert.is((await accept(token)).expires, zone.now + limits.enforcerLeaseMs)
  const end = zone.now + 900_000
  await pass(899_000, 1_000)
  assert.is((await accept(token)).expires, end)
  await pass(1_000)
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
  const { zone, accept, rotate, pass, stop } = await notes()
  const by = (key: SigningKey) => accept(zone.tokens.session('panel', alice, key))
  await by(zone.hub)
  // The key is lost to a thief: it goes at once, and with it the session by which this service follows boot/config
  const rotating = rotate(zone.other)
  for (let turns = 0; turns < 10; turns++) await settle()
  assert.is(await denied(() => by(zone.hub)), 'policy/lapsed')
  assert.is(await denied(() => by(zone.other)), 'policy/lapsed', 'it cannot know yet')
  assert.is(await isSettled(rotating), true, 'nobody waits for who goes by nothing')
  await pass(limits.convergeRetryMs)
  assert.is((await by(zone.other)).sub, 'alice')
  assert.is(await denied(() => by(zone.hub)), 'token/unknown-key')
  stop()
})

test('a service whose own session is refused ends at once what it serves', async () => {
  const { zone, accept, speakBy, pass, unbound, stop } = await notes()
  await accept(zone.tokens.session('panel', alice))
  speakBy(zone.tokens.session('notes', { runtime_type: 'service' }, zone.other))
  const before = unbound.length
  await pass(limits.enforcerRenewMs + 250)
  const [ended] = unbound.slice(before)
  assert.is(ended?.reason, 'token/unknown-key')
  assert.ok(ended?.ends({ sub: 'alice' }))
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

test('a session that verify-hub has ended is refused everywhere when the answer to that comes', async () => {
  const { zone, running, accept, revoke, unbound, enforcer, stop } = await notes()
  const token = zone.tokens.session('panel', { ...alice, aud: ['notes', 'system-config'], sid: 's-1' })
  const others = zone.tokens.session('panel', { ...alice, aud: ['notes', 'system-config'], sid: 's-2' })
  const config = running.as(token)
  await accept(token)
  await config.get({ key: 'boot/config' }).catch((error: { details: { reason: string } }) =>
    assert.is(error.details.reason, 'rbac/no-rule'))
  await revoke('s-1')
  assert.is(await denied(() => accept(token)), 'token/revoked')
  assert.is(await denied(() => enforcer.judge(token, 'notes')), 'token/revoked')
  assert.is(await denied(() => config.get({ key: 'boot/config' })), 'token/revoked')
  const ended = unbound.filter(({ reason }) => reason === 'token/revoked')
  assert.ok(ended.some(({ ends }) => ends({ sid: 's-1' }) && !ends({ sid: 's-2' })))
  assert.is((await accept(others)).sub, 'alice')
  stop()
})

test('an enforcer that was opened at the second attempt is told of every session that ends', async () => {
  const { zone, accept, revoke, pass, stop } = await notes({ again: true })
  for (let number = 0; number < 20; number++) {
    const sid = `s-${number}`
    const token = zone.tokens.session('panel', { ...alice, sid })
    await accept(token)
    await revoke(sid)
    assert.is(await denied(() => accept(token)), 'token/revoked')
    await pass(limits.convergeRetryMs * 0.3, 50)
  }
  stop()
})

test('a session that ended before it was ever seen is refused', async () => {
  const { zone, accept, revoke, stop } = await notes()
  await revoke('s-1')
  assert.is(await denied(() => accept(zone.tokens.session('panel', { ...alice, sid: 's-1' }))), 'token/revoked')
  stop()
})

test('a write of the policy is answered when every enforcer goes by it', async () => {
  const { zone, enforcer, accept, writePolicy, stop } = await notes()
  const token = zone.tokens.session('notes', { ...alice, sub: 'bob' })
  const cx = { principal: await accept(token), token, peer: caller }
  enforcer.demand(cx, 'read', 'users/bob/apps/notes/settings')
  assert.is(await denied(() => enforcer.demand(cx, 'read', 'users/alice/apps/notes/settings')), 'rbac/no-rule')
  await writePolicy('g, notes, app')
  assert.is(await denied(() => enforcer.demand(cx, 'read', 'users/bob/apps/notes/settings')), 'rbac/no-rule')
  await writePolicy(policy)
  enforcer.demand(cx, 'read', 'users/bob/apps/notes/settings')
  stop()
})

test('an enforcer that is cut off denies before anybody is told that it does', async () => {
  const { zone, enforcer, accept, revoke, cut, pass, unbound, stop } = await notes()
  const token = zone.tokens.session('panel', { ...alice, sid: 's-1' })
  const principal = await accept(token)
  cut()
  const revoking = revoke('s-1')
  assert.is(await isSettled(revoking), false, 'it may still accept the session')
  await accept(token)
  await pass(limits.enforcerLeaseMs - 250)
  assert.is(await isSettled(revoking), false)
  await pass(250)
  assert.is(await denied(() => accept(token)), 'policy/lapsed')
  assert.is(await denied(() => enforcer.demand({ principal, token, peer: caller }, 'read', 'a')), 'policy/lapsed')
  assert.ok(unbound.some(({ ends, reason }) => reason === 'policy/lapsed' && ends({ sid: 's-2' })))
  await pass(500)
  assert.is(await isSettled(revoking), true)
  stop()
})

test('an enforcer that news does not reach denies before anybody is told that it does', async () => {
  const { zone, accept, revoke, deafen, pass, stop } = await notes()
  const token = zone.tokens.session('panel', { ...alice, sid: 's-1' })
  await accept(token)
  deafen()
  const revoking = revoke('s-1')
  await pass(limits.enforcerLeaseMs - 250)
  await accept(token)
  assert.is(await isSettled(revoking), false)
  while (!await isSettled(revoking)) await pass(250)
  assert.is(await denied(() => accept(token)), 'policy/lapsed')
  stop()
})

test('an enforcer that keeps in touch never lapses, and one that does not apply a change loses its lease', async () => {
  const { zone, running, accept, pass, revoke, stop } = await notes()
  const token = zone.tokens.session('panel', alice)
  for (let leases = 0; leases < 5; leases++) {
    await pass(limits.enforcerLeaseMs)
    const left = (await accept(token)).expires! - zone.now
    assert.ok(left >= limits.enforcerLeaseMs - limits.enforcerRenewMs - 250, `${left} ms are left`)
  }
  // Another, which is told of the change, and says that it knows of none
  const lazy = running.as(zone.tokens.session('notes', { runtime_type: 'service', sid: 'lazy' }))
  const items = lazy.enforcement({ replaces: '' })[Symbol.asyncIterator]()
  const { lease, sequence } = (await items.next()).value!
  assert.equal(await lazy.renewLease({ lease, sequence }), { granted: true })
  const revoking = revoke('s-9')
  assert.is((await items.next()).value!.revoked[0]!.sid, 's-9')
  assert.equal(await lazy.renewLease({ lease, sequence }), { granted: true }, 'the news may be on its way')
  await pass(limits.enforcerLagMs)
  assert.equal(await lazy.renewLease({ lease, sequence }), { granted: false })
  assert.is(await isSettled(revoking), false)
  await pass(limits.enforcerLeaseMs * 1.05 - limits.enforcerLagMs + 250)
  assert.is(await isSettled(revoking), true)
  assert.equal(await lazy.renewLease({ lease, sequence }), { granted: false }, 'it is over')
  stop()
})

test('a lease of before a restart of system-config is waited for as well', async () => {
  const { zone, running, accept, cut, pass, stop } = await notes()
  const token = zone.tokens.session('panel', { ...alice, sid: 's-1' })
  running.stop()
  cut()
  const again = await zone.start({ ZONEWRIGHT_BOOTED: '1' })
  const until = Math.floor(zone.now / 1000) + 900
  const revoking = again.as(zone.tokens.verifyHub(), hubPeer).revoke({ sessions: [{ sid: 's-1', until }] })
  await pass(limits.enforcerLeaseMs - 250)
  await accept(token)
  assert.is(await isSettled(revoking), false, 'it still accepts the session')
  await pass(250)
  assert.is(await denied(() => accept(token)), 'policy/lapsed')
  await pass(500)
  assert.is(await isSettled(revoking), true)
  const later = again.as(zone.tokens.verifyHub(), hubPeer).revoke({ sessions: [{ sid: 's-2', until }] })
  assert.is(await isSettled(later), true, 'there is nobody any more')
  stop()
})

test('a lease is renewed by whom it was given to, and not beyond what there is', async () => {
  const { zone, running, stop } = await notes()
  const session = zone.tokens.session('notes', { runtime_type: 'service', sid: 'mine' })
  const mine = running.as(session, { ...caller, kid: 'mine' })
  const theirs = running.as(session, { ...caller, kid: 'theirs' })
  const { lease, sequence } = (await mine.enforcement({ replaces: '' })[Symbol.asyncIterator]().next()).value!
  assert.equal(await theirs.renewLease({ lease, sequence }), { granted: false })
  assert.equal(await mine.renewLease({ lease, sequence: sequence + 1 }), { granted: false })
  assert.equal(await mine.renewLease({ lease, sequence }), { granted: true })
  stop()
})

test('only services are told what to enforce, and only verify-hub ends sessions', async () => {
  const { zone, running, stop } = await notes()
  const bob = running.as(zone.tokens.session('panel', { ...alice, sub: 'bob', aud: ['system-config'] }))
  assert.is(await denied(() => bob.enforcement({ replaces: '' })[Symbol.asyncIterator]().next()), 'rbac/no-rule')
  assert.is(await denied(() => bob.renewLease({ lease: 'x', sequence: 0 })), 'rbac/no-rule')
  const sessions = [{ sid: 's-1', until: 1 }]
  assert.is(await denied(() => bob.revoke({ sessions })), 'rbac/no-rule')
  assert.is(await denied(() => running.as(zone.tokens.root()).revoke({ sessions })), 'rbac/no-rule')
  // Its token in other hands, or another's token in its hands
  assert.is(await denied(() => running.as(zone.tokens.verifyHub()).revoke({ sessions })), 'rbac/no-rule')
  assert.is(await denied(() => running.as(zone.tokens.root(), hubPeer).revoke({ sessions })), 'rbac/no-rule')
  stop()
})

test('revoked sessions outlive a restart of system-config, and are forgotten long after their tokens', async () => {
  const { zone, running, revoke, stop } = await notes()
  await revoke('s-1')
  running.stop()
  const again = await zone.start({ ZONEWRIGHT_BOOTED: '1' })
  const token = zone.tokens.session('panel', { ...alice, aud: ['system-config'], sid: 's-1' })
  assert.is(await denied(() => again.as(token).get({ key: 'boot/config' })), 'token/revoked')
  const revoked = async () => (await zone.store.list('revoked/')).entries.length
  assert.is(await revoked(), 1)
  zone.now += (900 + limits.revokedSeconds) * 1_000
  const hub = { ...caller, actor: 'verify-hub' }
  const until = Math.floor(zone.now / 1000) + 900
  await again.as(zone.tokens.verifyHub(), hub).revoke({ sessions: [{ sid: 's-2', until }] })
  assert.is(await revoked(), 2, 'a clock that was set back by an hour brings none to life')
  zone.now += 1_000
  await again.as(zone.tokens.verifyHub(), hub).revoke({ sessions: [{ sid: 's-3', until }] })
  assert.is(await revoked(), 2)
  stop()
})

test('a sudo token is good for one call, by the key of the user, who is asked for at system-config', async () => {
  const burned: string[] = []
  const { zone, running, accept, stop } = await notes({ burn: async (token) => void burned.push(token) })
  const [own, foreign] = [crypto.generate(systemRandom), crypto.generate(systemRandom)]
  await zone.store.put('kv/users/alice/doc', new TextEncoder().encode(
    `\u0001${JSON.stringify({ name: 'alice', key: own.public.jwk, iat: 1 })}`,
  ))
  const sudo = (by: SigningKey, changes = {}) => zone.tokens.session('notes', {
    iss: 'alice', sub: 'alice', aud: ['notes'], token_use: 'sudo', runtime_type: 'user',
    exp: Math.floor(zone.now / 1000) + 180, sid: 's', ...changes,
  }, by)
  const token = sudo(own)
  const principal = await accept(token)
  assert.equal([principal.sub, principal.sudo, principal.expires, principal.sid], ['alice', true, undefined, undefined])
  await accept(token)
  assert.equal(burned, [token, token], 'the zone is asked each time')
  assert.is(await denied(() => accept(sudo(foreign))), 'token/unknown-key')
  assert.is(await denied(() => accept(sudo(own, { sub: 'bob' }))), 'token/subject')
  assert.is(await denied(() => accept(sudo(own, { iss: 'bob', sub: 'bob' }))), 'token/unknown-key')
  assert.is(burned.length, 2)
  assert.is(running.denials.total, 3)
  stop()
})

test.run()
