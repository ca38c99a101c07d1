/** Signing requests of hosts that join: what is unsound, weak or for somebody else gets nothing; the token stays. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createEnrolling } from '../../actors/vault/join/enrol.ts'
import { CertificateRefused, JoinRefused } from '../../actors/vault/protocol.ts'
import type { ZonewrightError } from '../../runtime/errors.ts'
import { asked, csrFor, device, joinable, makeToken } from './join-fixture.ts'
import { keys, random, ZONE } from './pki-fixture.ts'

const folder = mkdtempSync(join(tmpdir(), 'zonewright-requests-'))
test.after(() => rmSync(folder, { recursive: true }))

/** By OpenSSL, which signs what ours would not. */
function openssl(...args: readonly string[]): string {
  const out = join(folder, 'request.csr')
  const key = ['-keyout', join(folder, 'key.pem'), '-nodes', '-out', out]
  const ended = spawnSync('openssl', ['req', '-new', ...key, '-subj', '/CN=node1', ...args], { encoding: 'utf8' })
  assert.is(ended.status, 0, ended.stderr)
  return readFileSync(out, 'utf8')
}
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] as const

const changed = (pem: string): string => {
  const lines = pem.trim().split('\n')
  const last = lines.at(-2)!
  const at = Math.floor(last.length / 2)
  lines[lines.length - 2] = last.slice(0, at) + (last[at] === 'A' ? 'B' : 'A') + last.slice(at + 1)
  return `${lines.join('\n')}\n`
}

test('a request that is unsound, weak, for others or for an authority is refused, each for what it is', async () => {
  const vault = await joinable()
  const token = await makeToken(vault)
  const by = device()
  const good = await csrFor('node1')
  const rows: readonly (readonly [csr: string, reason: string])[] = [
    [changed(good), 'signature'],
    ['', 'request'], ['no request', 'request'], [good.slice(0, 200), 'request'], [good + good, 'request'],
    [openssl('-newkey', 'rsa:1024'), 'key'],
    [openssl('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'), 'key'],
    [openssl(...EC, '-addext', 'basicConstraints=critical,CA:TRUE'), 'authority-request'],
    [openssl(...EC, '-addext', 'keyUsage=keyCertSign'), 'authority-request'],
    [await csrFor('ood1'), 'name'],
    [await csrFor('node1', [{ type: 'ip', value: '127.0.0.1' }]), 'name'],
    [await csrFor('node1', [{ type: 'dns', value: 'ood1' }]), 'name'],
    [await csrFor('node1', [{ type: 'uri', value: `spiffe://${ZONE}/ood/ood1` }]), 'name'],
  ]
  for (const [index, [csr, reason]] of rows.entries()) {
    let failed: unknown
    await vault.enrolling.enrol(await asked(token, 'node1', by, { csr })).catch((error: unknown) => { failed = error })
    assert.instance(failed, CertificateRefused, `row ${index}: ${String(failed)}`)
    assert.is((failed as ZonewrightError).details['reason'], reason, `row ${index}`)
  }
  const { certificates } = await vault.pki.certificates.page(undefined, 10)
  assert.equal([certificates.length, (await vault.tokens.list())[0]!.state], [0, 'open'])
  const own = [{ type: 'uri', value: `spiffe://${ZONE}/node/node1` }] as const
  await vault.enrolling.enrol(await asked(token, 'node1', by, { csr: await csrFor('node1', own) }))
})

test('keys of other types than ours are certified as well', async () => {
  const vault = await joinable()
  const by = device()
  for (const args of [['-newkey', 'rsa:2048'], ['-newkey', 'ed25519']]) {
    const token = await makeToken(vault)
    const { serial } = await vault.enrolling.enrol(await asked(token, 'node1', by, { csr: openssl(...args) }))
    assert.match(serial, /^[0-9a-f:]+$/)
  }
})

test('a token that is revoked while its certificate is made gives none', async () => {
  const { pki, tokens, barrier, clock, ...vault } = await joinable()
  const token = await makeToken({ pki, tokens, barrier, clock, ...vault })
  const sign: typeof pki.issuing.sign = async (...given) => {
    await tokens.revoke(token.split('_')[1]!)
    return pki.issuing.sign(...given)
  }
  const racing = { ...pki, issuing: { ...pki.issuing, sign } }
  const { signer } = vault
  const { enrol } = createEnrolling({ barrier, keys, random, clock, zone: ZONE, tokens, pki: racing, signer })
  let failed: unknown
  await enrol(await asked(token, 'node1', device())).catch((error: unknown) => { failed = error })
  assert.instance(failed, JoinRefused, String(failed))
  assert.is((failed as ZonewrightError).details['reason'], 'revoked')
  assert.equal((await pki.certificates.page(undefined, 10)).certificates, [])
})

test('another device that has the token and the request of the first one gets nothing', async () => {
  const vault = await joinable()
  const token = await makeToken(vault)
  const csr = await csrFor('node1')
  await vault.enrolling.enrol(await asked(token, 'node1', device(), { csr }))
  const second = await asked(token, 'node1', device(), { csr })
  let failed: unknown
  await vault.enrolling.enrol(second).catch((error: unknown) => { failed = error })
  assert.instance(failed, JoinRefused, String(failed))
  assert.is((failed as ZonewrightError).details['reason'], 'used')
})

test('a host that is revoked while its next certificate is made gets none', async () => {
  const { pki, tokens, barrier, clock, ...vault } = await joinable()
  const by = device()
  const made = { pki, tokens, barrier, clock, ...vault }
  const { serial } = await vault.enrolling.enrol(await asked(await makeToken(made), 'node1', by))
  const sign: typeof pki.issuing.sign = async (...given) => {
    // The last certificate was found to be good, and the next is not recorded yet
    await pki.revocation.revoke(serial)
    return pki.issuing.sign(...given)
  }
  const racing = { ...pki, issuing: { ...pki.issuing, sign } }
  const { signer } = vault
  const { renew } = createEnrolling({ barrier, keys, random, clock, zone: ZONE, tokens, pki: racing, signer })
  const { token: _, ...request } = await asked(serial, 'node1', by)
  let failed: unknown
  await renew({ ...request, serial }).catch((error: unknown) => { failed = error })
  assert.instance(failed, JoinRefused, String(failed))
  assert.is((failed as ZonewrightError).details['reason'], 'revoked')
  const { certificates } = await pki.certificates.page(undefined, 10)
  assert.equal(certificates.map((one) => [one.serial, one.revokedAt !== undefined]), [[serial, true]])
})

test.run()
