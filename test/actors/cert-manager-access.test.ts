/** Who sees certificates and authorities, and who changes them: by HTTP, as people come. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken } from '../../runtime/trust/token.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import { signRequest } from '../../runtime/x509/csr.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import type { Pair } from '../krpc-client.ts'
import { loggedIn } from '../krpc-fixture.ts'
import { inLiveZone, type LiveZone } from './live-zone.ts'

const random = new SeededRandom('people')

async function certificateOf(live: LiveZone): Promise<string> {
  const vault = live.zone.get(Vault)
  await vault.ensureAuthorities({})
  const key = await live.keys.certificates.generate('ed25519', random)
  const csr = encodePem('CERTIFICATE REQUEST', signRequest({ subject: encodeName([]), names: [] }, key))
  return (await vault.signCertificate({ mount: 'pki', role: 'ood', csr })).serial
}

test('an admin may read, by sudo revoke and step, and nobody else does any of it', async () => {
  await inLiveZone(async (live) => {
    const serial = await certificateOf(live)
    const { client, username, hub, login } = await loggedIn(live)
    const key = live.keys.generate(random.fork('owner'))
    await live.set(kv.userDocument(username), { name: username, key: key.public.jwk, iat: 0 })
    const sudo = (changes: object = {}): string => {
      const iat = Math.floor(live.world.clock.now() / 1_000)
      return signToken(key, {
        iss: username, sub: username, aud: ['cert-manager'], iat, exp: iat + 180, jti: toBase64url(random.bytes(12)),
        token_use: 'sudo', appid: 'console', runtime_type: 'user', epoch: 0, ...changes,
      })
    }
    const reads = [
      ['certificates', {}], ['certificates', { mount: 'pki-etcd' }], ['certificate', { serial }], ['authorities', {}],
      ['crl', {}],
    ] as const
    const writes = [['revoke', { serial }], ['step_authority', { mount: 'pki', step: 'prepare' }]] as const
    const outcome = async (token: string | null | undefined, method: string, params: object): Promise<string> => {
      const asking = token === undefined ? client('cert-manager') : client('cert-manager', token)
      return asking.call(method, params).then(() => 'allowed', async () => {
        const again = token === undefined ? client('cert-manager') : client('cert-manager', token)
        return String((await again.refusal(method, params)).details['reason'])
      })
    }
    for (const [method, params] of reads) {
      assert.is(await outcome(undefined, method, params), 'allowed', method)
      assert.is(await outcome(null, method, params), 'token/absent', method)
      assert.is(await outcome(sudo({ aud: ['system-config'] }), method, params), 'token/audience', method)
    }
    for (const [method, params] of writes) {
      assert.ok(/^(rbac|sudo)\//.test(await outcome(undefined, method, params)), method)
      assert.is(await outcome(null, method, params), 'token/absent', method)
      const token = sudo()
      assert.is(await outcome(token, method, params), 'allowed', method)
      assert.is(await outcome(token, method, params), 'token/replayed', 'it is good once')
    }
    await live.set(kv.user(username), { name: username, type: 'user', state: 'active' })
    await live.pause(10_000)
    // Who is an admin no more logs in anew
    const { session_token: session } = await hub.call('login_by_password', login) as Pair
    for (const [method, params] of reads) {
      const refused = await outcome(session, method, params)
      assert.ok(/^rbac\//.test(refused), `${method}: ${refused}`)
    }
    for (const [method, params] of writes) {
      const refused = await client('cert-manager', sudo()).refusal(method, params)
      assert.ok(/^(rbac|sudo)\//.test(String(refused.details['reason'])), method)
    }
  })
})

test('what the manager publishes is read by hosts and services, and written by it alone', async () => {
  await inLiveZone(async (live) => {
    await live.pause(5_000)
    const { client } = await loggedIn(live)
    const config = client('system_config')
    for (const key of ['system/pki/roots', 'system/pki/rotation', 'system/pki/crl/pki/key-x']) {
      const { details } = await config.refusal('sys_config_set', { key, value: '{}' })
      assert.ok(/^rbac\//.test(String(details['reason'])), key)
    }
    const may = async (appid: string, runtimeType: string, act: 'read' | 'write'): Promise<boolean> => {
      const params = { key: 'system/pki/roots', act, sub: 'ood1', appid, runtime_type: runtimeType }
      return (await config.call('sys_config_explain', params) as { allowed: boolean }).allowed
    }
    assert.equal([
      await may('cert-manager', 'kernel-service', 'write'), await may('scheduler', 'kernel-service', 'write'),
      await may('node-daemon', 'ood', 'write'), await may('service', 'service', 'write'),
    ], [true, false, false, false])
    assert.equal([
      await may('node-daemon', 'node', 'read'), await may('service', 'service', 'read'),
      await may('gateway', 'gateway', 'read'),
    ], [true, true, true])
  })
})

test.run()
