/** What was accepted is acted on later: a call waits for its turn, a token to be used up. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openEnforcer } from '../../actors/enforcement/enforcer.ts'
import type { SystemConfig } from '../../actors/system-config/protocol.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Client } from '../../runtime/protocol.ts'
import { caller, isSettled, notes } from './enforcer-zone.ts'
import { crypto, denied, failure, settle } from './system-config-zone.ts'

const alice = { sub: 'alice', runtime_type: 'user', aud: ['notes'] }

test('a call that waited for its turn while its session ended, or its key was given up, does nothing', async () => {
  const { zone, enforcer, accept, pass, revoke, rotate, stop } = await notes()
  const token = zone.tokens.session('notes', { ...alice, sub: 'bob', sid: 's-1' })
  const cx = { principal: await accept(token), token, peer: caller }
  enforcer.demand(cx, 'read', 'users/bob/apps/notes/settings')
  const waited = zone.tokens.session('notes', { ...alice, sub: 'bob', sid: 's-2' })
  const later = { ...cx, principal: await accept(waited) }
  await revoke('s-1')
  assert.is(await denied(() => enforcer.principal(cx)), 'token/revoked')
  assert.is(await denied(() => enforcer.demand(cx, 'read', 'users/bob/apps/notes/settings')), 'token/revoked')
  assert.is(enforcer.principal(later).sub, 'bob')
  await rotate(zone.hub, zone.other)
  assert.is(enforcer.principal(later).sub, 'bob')
  const rotating = rotate(zone.other)
  for (let turns = 0; turns < 10; turns++) await settle()
  assert.is(await denied(() => enforcer.principal(later)), 'token/unknown-key')
  await pass(limits.convergeRetryMs)
  await rotating
  stop()
})

test('a token that was used up while the lease ran out is refused', async () => {
  let proceed = (): void => {}
  const { zone, accept, cut, pass, stop } = await notes({
    burn: () => new Promise<void>((resolve) => { proceed = resolve }),
  })
  const accepting = denied(() => accept(zone.tokens.root({ aud: ['notes'] })))
  cut()
  await pass(limits.enforcerLeaseMs)
  proceed()
  assert.is(await accepting, 'policy/lapsed')
  stop()
})

test('what could not begin to enforce leaves nothing behind that goes on trying', async () => {
  const { zone, running, pass, stop } = await notes()
  let asked = 0
  const systemConfig = {
    enforcement() {
      asked++
      throw new Unavailable('The wire is cut')
    },
  } as unknown as Client<typeof SystemConfig>
  await failure(Unavailable, () => openEnforcer({
    appid: 'other', systemConfig, session: { token: () => 'x', renew: async () => {} },
    start: {
      keys: crypto, clock: zone.clock, store: zone.store, denials: running.denials, unbind() {},
      stopping: new AbortController().signal, background: (task) => void task(),
      log: { info() {}, warn() {}, error() {} },
    },
  }))
  await pass(10 * limits.convergeRetryMs)
  assert.is(asked, 1)
  stop()
})

test('a token of a clock that is ahead is used no sooner than a start of later would refuse it', async () => {
  const { zone, accept, pass, stop } = await notes({ onceSinceSeconds: 0 })
  const iat = Math.floor(zone.now / 1000) + 30
  const token = zone.tokens.root({ aud: ['notes'], iat, exp: iat + 300 })
  const accepting = accept(token)
  assert.is(await isSettled(accepting), false)
  await pass(29_000)
  assert.is(await isSettled(accepting), false)
  await pass(1_000)
  assert.is((await accepting).sub, 'root')
  stop()
})

test.run()
