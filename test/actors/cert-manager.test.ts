/** The certificate manager in a zone, through years: authorities follow one another, and nobody is cut off. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { CertManager } from '../../actors/cert-manager/protocol.ts'
import { pkiKey, PublishedList, PublishedRoots } from '../../actors/cert-manager/published.ts'
import { readRecord } from '../../actors/records.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import { defaultConfig } from '../../boot/config.ts'
import type { CertificateSigningKey } from '../../runtime/platform/certificate-keys.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { parseRevocationList } from '../../runtime/x509/crl.ts'
import { signRequest } from '../../runtime/x509/csr.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { decodePem, encodePem } from '../../runtime/x509/pem.ts'
import { verifyChain } from '../../runtime/x509/verify-chain.ts'
import { inLiveZone, type LiveZone } from './live-zone.ts'

const DAY = 86_400_000
const HOST = defaultConfig.host

const random = new SeededRandom('holders')

const certificate = (pem: string) => parseCertificate(decodePem(pem, 'CERTIFICATE'))
const rootsIn = (document: string): readonly string[] =>
  (JSON.parse(new TextDecoder().decode(base64url(document.split('.')[1]!))) as { roots: string[] }).roots
const base64url = (text: string): Uint8Array =>
  Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (letter) => letter.charCodeAt(0))

async function until<T>(live: LiveZone, what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (let waited = 0; waited < 120_000; waited += 500) {
    const found = await look()
    if (found !== undefined) return found
    await live.pause(500)
  }
  throw new Error(`It did not happen: ${what}`)
}
const published = async (live: LiveZone) => {
  const text = await live.read(pkiKey.roots)
  return text === undefined ? undefined : readRecord(PublishedRoots, pkiKey.roots, text)
}
const authorities = (live: LiveZone, mount: string) => live.zone.get(Vault).authorities({ mount })
const states = async (live: LiveZone, mount: string): Promise<readonly string[]> =>
  (await authorities(live, mount)).map(({ kind, state }) => `${kind} ${state}`)

/** As `zonewright` asks, by the owner key. */
const ask = async (live: LiveZone, method: string, params: object = {}): Promise<Record<string, unknown>> => {
  const settings = { token: await live.root('cert-manager') }
  const { result } = await live.zone.get(CertManager).krpc({ method, params }, settings)
  return result as Record<string, unknown>
}

interface Holder {
  readonly key: CertificateSigningKey
  readonly issued: { readonly serial: string; readonly certificate: string; readonly chain: string[] }
}

async function issue(live: LiveZone): Promise<Holder> {
  const key = await live.keys.certificates.generate('ed25519', random)
  const subject = encodeName([{ type: 'CN', value: HOST }])
  const csr = encodePem('CERTIFICATE REQUEST', signRequest({ subject, names: [] }, key))
  return { key, issued: await live.zone.get(Vault).signCertificate({ mount: 'pki', role: 'ood', csr }) }
}

/** Time passes for this host, and the manager comes back and looks. */
async function jump(live: LiveZone, ms: number): Promise<void> {
  live.world.stepClock(HOST, ms)
  await live.zone.kill('cert-manager')
  await live.pause(15_000)
  await until(live, 'it serves', async () => (live.state('cert-manager') === 'serving' ? true : undefined))
}

test('at its start a zone gets authorities, a root set by the anchor, and lists that hosts may read', async () => {
  await inLiveZone(async (live) => {
    const { version, document } = await until(live, 'the roots are published', () => published(live))
    const pki = await authorities(live, 'pki')
    assert.equal([version, rootsIn(document)], [1, pki.filter(({ kind }) => kind === 'root').map(({ pem }) => pem)])
    const lists = await until(live, 'the lists are there', async () => {
      const names = await live.names('system/pki/crl').catch(() => [])
      return names.length === 2 ? names : undefined
    })
    assert.equal(lists, ['pki', 'pki-etcd'])
    const [active] = pki.filter(({ kind }) => kind === 'intermediate')
    const text = await until(live, 'the list is published', () => live.read(pkiKey.list('pki', active!.id)))
    const { number } = parseRevocationList(decodePem(readRecord(PublishedList, 'x', text).pem, 'X509 CRL'))
    assert.ok(number >= 1)
  })
})

test('who holds a certificate may have it revoked, the published list says so, and it is shown', async () => {
  await inLiveZone(async (live) => {
    await until(live, 'the roots are published', () => published(live))
    const { issued: { serial } } = await issue(live)
    const { certificates } = await ask(live, 'certificates', { mount: 'pki' })
    assert.equal((certificates as { serial: string; state: string }[]).map((each) => [each.serial, each.state]),
      [[serial, 'valid']])
    assert.is((await ask(live, 'certificate', { serial }))['holder'], `supervisor@${HOST}`)
    const revoked = await ask(live, 'revoke', { serial, reason: 'keyCompromise' })
    const again = await ask(live, 'revoke', { serial })
    assert.equal(again, revoked, 'the first time counts')
    const signer = (await authorities(live, 'pki')).find(({ kind }) => kind === 'intermediate')!
    const text = await live.read(pkiKey.list('pki', signer.id))
    const list = parseRevocationList(decodePem(readRecord(PublishedList, 'x', text!).pem, 'X509 CRL'))
    assert.is(list.revoked.length, 1)
    assert.is((await ask(live, 'certificate', { serial }))['state'], 'revoked')
    const code = (asked: Promise<unknown>) => asked.then(() => 'done', ({ code: is }: { code?: string }) => is)
    assert.is(await code(ask(live, 'certificate', { serial: '01:02' })), 'NotFound')
    assert.is(await code(ask(live, 'revoke', { serial: 'no serial' })), 'InvalidArgument')
    assert.is(await code(ask(live, 'step_authority', { mount: 'pki', step: 'taint' })), 'InvalidArgument')
  })
})

test('through six years every authority is followed by another, and nobody is cut off', async () => {
  await inLiveZone(async (live) => {
    await until(live, 'the roots are published', () => published(live))
    const began = live.world.clock.now()
    const seen: string[] = []
    let holder = await issue(live)
    let known = (await published(live))!
    const look = async (): Promise<void> => {
      // By what a peer knows that has read the root set half a month ago
      const at = began + live.world.aheadMs(HOST) + (live.world.clock.now() - began)
      const { issued } = holder
      verifyChain({
        leaf: certificate(issued.certificate), intermediates: issued.chain.map(certificate),
        roots: rootsIn(known.document).map(certificate), at, keys: live.keys.certificates,
      })
      for (const mount of ['pki', 'pki-etcd']) {
        const now = `${mount}: ${(await states(live, mount)).join(', ')}`
        if (!seen.includes(now)) seen.push(now)
      }
    }
    /** Certificates of 30 days are renewed at half of their life; the root set is read when it is half over. */
    const fortnight = async (): Promise<void> => {
      await jump(live, 14 * DAY)
      await look()
      holder = await issue(live)
      await look()
      known = (await published(live))!
      await look()
    }
    /** While nothing changes hands, what is not renewed has ended, and is made anew. */
    const rest = async (): Promise<void> => {
      await jump(live, 100 * DAY)
      known = (await published(live))!
      holder = await issue(live)
      await look()
    }
    const changesHands = async (): Promise<boolean> => {
      const all = [...await states(live, 'pki'), ...await states(live, 'pki-etcd')]
      return all.filter((state) => !/revoked/.test(state)).length > 3
    }
    for (let years = 0; years < 6; years = live.world.aheadMs(HOST) / (365 * DAY)) {
      await (await changesHands() ? fortnight() : rest())
    }
    assert.ok(known.version >= 2, `${known.version}`)
    const wanted = [
      'pki: root active, intermediate active, intermediate next',
      'pki: root active, intermediate active, intermediate active',
      'pki: root active, intermediate tainted, intermediate active',
      'pki: root active, intermediate revoked, intermediate active',
    ]
    for (const [index, state] of wanted.entries()) {
      const at = seen.findIndex((line) => line.startsWith(state))
      assert.ok(at >= 0, `${state}: ${seen.join('\n')}`)
      if (index > 0) assert.ok(at > seen.findIndex((line) => line.startsWith(wanted[index - 1]!)), state)
    }
    assert.ok(seen.some((line) => /^pki: root tainted.*root active/.test(line)), seen.join('\n'))
    assert.ok(seen.some((line) => /^pki-etcd: root tainted, root active/.test(line)), seen.join('\n'))
    const warned = live.logs.filter(({ actor, level }) => actor === 'cert-manager' && level !== 'info')
    const lines = warned.map(({ message, fields }) => `${message} ${JSON.stringify(fields)}`)
    assert.ok(lines.length === 0, lines.join('\n'))
  }, {}, { maxEvents: 6_000_000, maxVirtualMs: 30 * 365 * DAY })
})

test.run()
