import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openEnforcer } from '../../actors/enforcement/enforcer.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { caller, isSettled, notes } from './enforcer-zone.ts'
import { crypto, denied, failure } from './system-config-zone.ts'

test('a lease is given up by whom it was given to, whatever has become of its session', async () => {
  const { zone, running, revoke, pass, stop } = await notes()
  const session = zone.tokens.session('notes', { runtime_type: 'service', sid: 'mine' })
  const mine = { ...caller, kid: 'mine' }
  const items = running.as(session, mine).enforcement({ replaces: '' })[Symbol.asyncIterator]()
  const { lease, sequence } = (await items.next()).value!
  const revoking = revoke('mine')
  await running.as(undefined, { ...caller, kid: 'theirs' }).releaseLease({ lease })
  assert.is(await isSettled(revoking), false)
  await running.as(undefined, mine).releaseLease({ lease })
  assert.is(await isSettled(revoking), true)
  assert.is(await denied(() => running.as(session, mine).renewLease({ lease, sequence })), 'token/revoked')
  await pass(250)
  stop()
})

test('an enforcer that cannot be opened leaves nothing behind that goes on trying', async () => {
  const { zone, running, pass, stop } = await notes()
  let asked = 0
  const away = { enforcement: () => { throw new Unavailable(`system-config is away: ${++asked}`) } }
  const opening = openEnforcer({
    appid: 'notes', systemConfig: away as never, session: { token: () => '', renew: async () => {} },
    start: {
      keys: crypto, clock: zone.clock, store: zone.store, denials: running.denials, unbind: () => {},
      stopping: new AbortController().signal, background: (task) => void task(),
      log: { info() {}, warn() {}, error() {} },
    },
  })
  await failure(Unavailable, () => opening)
  await pass(10_000)
  assert.is(asked, 1)
  stop()
})

test('two enforcers of one actor do not take each other for the one before', async () => {
  const { zone, running, revoke, pass, stop } = await notes()
  const session = zone.tokens.session('notes', { runtime_type: 'service', sid: 'mine' })
  const mine = running.as(session, { ...caller, kid: 'mine' })
  const open = async (replaces: string) => {
    const items = mine.enforcement({ replaces })[Symbol.asyncIterator]()
    const { lease, sequence } = (await items.next()).value!
    await mine.renewLease({ lease, sequence })
    return lease
  }
  const first = await open('')
  await open('')
  const revoking = revoke('s-1')
  assert.is(await isSettled(revoking), false)
  const replacing = await open(first)
  assert.ok(replacing !== first)
  assert.is(await isSettled(revoking), false, 'the second one has not heard of it')
  await pass(limits.enforcerLeaseMs * 1.1, 500)
  assert.is(await isSettled(revoking), true)
  stop()
})

test.run()
