import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Denied, InvalidArgument } from '../../runtime/errors.ts'
import { denied, failure, peer, policy, settle, take, testZone } from './system-config-zone.ts'

async function populated() {
  const zone = testZone()
  const running = await zone.booted({
    'system/rbac/policy': policy, 'users/alice/profile': 'a', 'users/bob/profile': 'b', 'security/key': 'k',
    'nodes/ood1/config': '{}',
  })
  const panel = (sub: string) => running.as(zone.tokens.session('panel', { sub, runtime_type: 'user' }))
  return { zone, running, panel, scheduler: running.as(zone.tokens.session('scheduler')) }
}

test('every way to read asks the policy: get, list, dump, watch, and the guard of a transaction', async () => {
  const { panel } = await populated()
  const alice = panel('alice')
  assert.is((await alice.get({ key: 'users/alice/profile' }))!.value, 'a')
  assert.equal(await alice.list({ key: 'users/alice' }), ['profile'])
  assert.is((await alice.dump({ prefixes: ['users/alice'] })).items.length, 1)
  assert.is((await alice.dumpDigest({ prefixes: ['users/alice'] })).digest.length, 43)
  const firstChange = async (prefix: string) => (await take(alice.watch({ prefix, after: 0 }), 1))[0]
  assert.is((await firstChange('users/alice'))!.value, 'a')
  const guard = { key: 'users/bob/profile', revision: 99 }
  for (const attempt of [
    () => alice.get({ key: 'users/bob/profile' }),
    () => alice.get({ key: 'users/bob/nothing' }),
    () => alice.list({ key: 'users/bob' }),
    () => alice.list({ key: 'users' }),
    () => alice.list({ key: 'users/alice/../bob' }).catch(() => alice.list({ key: '' })),
    () => alice.dump({ prefixes: ['users/alice', 'users/bob'] }),
    () => alice.dump({ prefixes: [''] }),
    () => alice.dumpDigest({ prefixes: ['users/alice', 'users/bob'] }),
    () => alice.dumpDigest({ prefixes: [''] }),
    () => firstChange('users'),
    () => firstChange('users/ali'),
    () => alice.execTx({ actions: { 'users/alice/x': { action: 'create', value: '' } }, mainKey: guard }),
    () => alice.set({ key: 'users/bob/profile', value: '' }),
    () => alice.execTx({ actions: {
      'users/alice/x': { action: 'create', value: '' }, 'users/bob/x': { action: 'create', value: '' },
    } }),
  ]) {
    await failure(Denied, attempt)
  }
  assert.is(await alice.get({ key: 'users/alice/x' }), null)
})

test('what the policy says holds when its writer is answered', async () => {
  const zone = testZone()
  const running = await zone.start({}, { deaf: true })
  const key = 'system/rbac/policy'
  await zone.boot(running, { [key]: policy })
  const alice = running.as(zone.tokens.session('panel', { sub: 'alice', runtime_type: 'user' }))
  await alice.set({ key: 'users/alice/profile', value: 'a' })
  const scheduler = running.as(zone.tokens.session('scheduler'))
  await scheduler.execTx({ actions: { [key]: { action: 'update', value: '' } } })
  assert.is(await denied(() => alice.get({ key: 'users/alice/profile' })), 'rbac/no-rule')
})

test('a dump of a key that may be read does not show what lies below it', async () => {
  const { zone, running } = await populated()
  await running.as(zone.tokens.root()).set({ key: 'boot/config/below', value: 'hidden' })
  const notes = running.as(zone.tokens.session('notes', { sub: 'alice', runtime_type: 'service' }))
  assert.equal((await notes.dump({ prefixes: ['boot/config'] })).items.map(({ key }) => key), ['boot/config'])
  assert.is(await denied(() => notes.dump({ prefixes: ['boot/'] })), 'rbac/no-rule')
})

test('a policy that the scheduler changes holds for the next call, and for streams that are open', async () => {
  const { zone, running, panel, scheduler } = await populated()
  const root = running.as(zone.tokens.root())
  const alice = panel('alice')
  const stream = alice.watch({ prefix: 'users/alice/', after: 0 })[Symbol.asyncIterator]()
  assert.is((await stream.next()).value.value, 'a')
  await alice.set({ key: 'users/alice/profile', value: 'a2' })
  assert.is((await stream.next()).value.value, 'a2')
  const next = stream.next()
  const key = 'system/rbac/policy'
  assert.is(await denied(() => scheduler.set({ key, value: '' })), 'rbac/signed-only')
  assert.is(await denied(() => alice.execTx({ actions: { [key]: { action: 'update', value: '' } } })), 'rbac/no-rule')
  for (const action of [
    { action: 'update', value: `${policy}\nnonsense` }, { action: 'append', value: 'g, x, user' }, { action: 'remove' },
  ] as const) {
    await failure(InvalidArgument, () => scheduler.execTx({ actions: { [key]: action } }))
  }
  await alice.get({ key: 'users/alice/profile' })

  const without = policy.replace('g, alice, user', '')
  await scheduler.execTx({ actions: { [key]: { action: 'update', value: without } } })
  assert.is(await denied(() => alice.get({ key: 'users/alice/profile' })), 'rbac/no-rule')
  await panel('bob').get({ key: 'users/bob/profile' })
  await root.set({ key: 'users/alice/profile', value: 'a3' })
  assert.is((await failure(Denied, () => next)).details['reason'], 'rbac/no-rule')
})

test('a policy that another writer damaged in the store leaves the old one in force', async () => {
  const { zone, running, panel } = await populated()
  await zone.store.put('kv/system/rbac/policy', new TextEncoder().encode('\u0001g, mallory'))
  await settle()
  assert.ok(running.said.some((line) => line.includes('policy is damaged')))
  assert.is((await panel('alice').get({ key: 'users/alice/profile' }))!.value, 'a')
  await zone.store.put('kv/system/rbac/policy', new TextEncoder().encode('\u0001g, bob, user\ng, panel, console'))
  await settle()
  assert.is(await denied(() => panel('alice').get({ key: 'users/alice/profile' })), 'rbac/no-rule')
})

test('a token that is bound to a link key is worth nothing on another link', async () => {
  const { zone, running } = await populated()
  const token = zone.tokens.session('scheduler', { cnf: { jkt: 'scheduler-link-1' } })
  await running.as(token, peer('scheduler')).get({ key: 'boot/config' })
  assert.is(await denied(() => running.as(token, peer('mallory')).get({ key: 'boot/config' })), 'token/holder')
})

test('the caller learns an id and a reason, and the chain stays here: link, token, policy', async () => {
  const { running, panel } = await populated()
  const { details, message } = await failure(Denied, () => panel('alice').get({ key: 'users/bob/profile' }))
  assert.equal(Object.keys(details).sort(), ['denial', 'reason'])
  assert.is(message.includes('bob'), false)
  const { chain } = running.denials.explain(details['denial'] as string)!
  assert.equal(chain.map(({ layer, verdict, rule }) => `${layer} ${verdict} ${rule}`), [
    'link allowed link/system-config', 'token allowed system-config/normal/session', 'rbac denied system-config/policy',
  ])
  assert.match(chain[2]!.detail!, 'subject alice: read users/bob/profile')
})

test('without a token nothing is answered but trust, and that to the supervisor of this host only', async () => {
  const { zone, running } = await populated()
  const supervisor = running.as(undefined, peer('supervisor', { runtimeType: 'ood' }))
  assert.is((await supervisor.trust({})).phase, 'normal')
  assert.is(await denied(() => supervisor.get({ key: 'boot/config' })), 'token/absent')
  assert.is(await denied(() => supervisor.set({ key: 'a/b', value: '' })), 'token/absent')
  assert.is(await denied(() => running.as(undefined, peer('scheduler')).trust({})), 'token/absent')
  assert.is(await denied(() => running.as(undefined, peer('supervisor', { host: 'ood2' })).trust({})), 'token/absent')
  assert.is((await running.as(zone.tokens.session('scheduler')).trust({})).booted, true)
})

test('in boot phase only this host may link, and a stranger to the zone never', async () => {
  const zone = testZone()
  const running = await zone.start()
  const admit = (actor: string, changes = {}) => running.lifecycle.admit!(peer(actor, changes), 'mac')
  assert.is(admit('boot-scheduler'), true)
  assert.is(admit('supervisor'), true)
  assert.is(admit('gateway'), false)
  assert.is(admit('boot-scheduler', { host: 'ood2' }), false)
  await zone.boot(running)
  assert.is(admit('gateway'), true)
  assert.is(admit('gateway', { zone: 'z2' }), false)
  assert.is(running.denials.total, 3)
})

test.run()
