/** Guards of verify-hub that others stand behind, or that only a race comes to: each alone. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import type { Vault } from '../../actors/vault/protocol.ts'
import { createPasswords } from '../../actors/verify-hub/password.ts'
import { InvalidPassword } from '../../actors/verify-hub/protocol.ts'
import { judge } from '../../actors/verify-hub/refresh.ts'
import type { Session } from '../../actors/verify-hub/sessions.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import type { Client } from '../../runtime/protocol.ts'
import { as, keys, newStore, newUnsealKey, start as startVault, verifyHub } from './vault-fixture.ts'
import { denied, failure, loggedIn, peer, service, testZone } from './verify-hub-zone.ts'

test('a login that is repeated is admitted again: its service may have been placed elsewhere', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const jwt = zone.login()
  const login = async () => hub.handlers.loginByJwt({ jwt }, hub.as(service))
  assert.equal(await login(), await login())
  zone.put(kv.node('ood1'), { host: 'ood1', state: 'running', services: {} })
  assert.is(await denied(login), 'login/placement')
})

test('a device document is judged by the root key of now, not by the one that it was first judged by', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const login = async () => hub.handlers.loginByJwt({ jwt: zone.login() }, hub.as(service))
  await login()
  zone.boot({ root: keys.generate(random).public.jwk })
  assert.is(await denied(login), 'token/unknown-key')
})

test('a name that is more than one segment of a key is nobody', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const jwt = zone.login({ appid: 'service/x' })
  assert.is(await denied(() => hub.handlers.loginByJwt({ jwt }, hub.as(peer('service/x')))), 'login/subject')
})

test('a session of another epoch is not active', async () => {
  const { zone, pair } = await loggedIn()
  const active = async () => {
    const hub = await zone.start()
    return (await hub.handlers.verifySession({ sid: pair.sid }, hub.as(service))).active
  }
  assert.is(await active(), true)
  zone.boot({ epoch: 1 })
  zone.unchecked = true
  assert.is(await active(), false)
})

test('without a key a used refresh token may be repeated soon after, and not before it was used', () => {
  const atMs = 1_000_000
  const issue = { sessionJti: 's2', refreshJti: 'r2', iat: 0, aud: [], runtimeType: 'user', epoch: 0 }
  const session: Session = {
    sid: 's', sub: 'alice', appid: 'gateway', host: null, holder: null, state: 'live', reason: '', createdMs: 0,
    expires: 0, issue, before: { refreshJti: 'r1', atMs },
  }
  const at = (nowMs: number): string => judge(session, 'r1', null, nowMs)
  assert.equal([at(atMs), at(atMs + limits.keylessRefreshMs)], ['repeat', 'repeat'])
  assert.equal([at(atMs - 1), at(atMs + limits.keylessRefreshMs + 1)], ['reused', 'reused'])
})

test('a first password that is issued anew while it is used is wrong from then on', async () => {
  const { handlers } = await startVault(newStore(), { 'unseal-key': newUnsealKey() })
  // What a hash costs is measured elsewhere
  const cheap = { ...keys, slowHash: async (word: Uint8Array, salt: Uint8Array) => keys.derive(word, salt, 'slow', 32) }
  const passwords = createPasswords({ keys: cheap, random })
  let beforeWriting = async (): Promise<void> => {}
  const vault = {
    getSecret: async (args: { path: string }) => handlers.getSecret(args, as(verifyHub)),
    async putSecret(args: { path: string; value: string; cas?: number }) {
      const before = beforeWriting
      beforeWriting = async () => {}
      await before()
      return handlers.putSecret(args, as(verifyHub))
    },
  } as unknown as Client<typeof Vault>
  const first = (await passwords.issueFirst(vault, 'alice'))!
  let second: string | undefined
  beforeWriting = async () => { second = await passwords.issueFirst(vault, 'alice') }
  await failure(InvalidPassword, () => passwords.check(vault, { username: 'alice', password: first }))
  await passwords.check(vault, { username: 'alice', password: second! })
})

test.run()
