/** What a signing request must be, what a certificate takes of it, and what is kept before anybody has it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { certificatePath } from '../../actors/vault/pki/certificates.ts'
import { decodeRecord, encodeRecord } from '../../actors/vault/pki/certificate-record.ts'
import { CertificateRefused, NotInVault, VaultDamaged } from '../../actors/vault/protocol.ts'
import { InvalidArgument, Overloaded } from '../../runtime/errors.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { decodePem, encodePem } from '../../runtime/x509/pem.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Random } from '../../runtime/platform/ports.ts'
import type { Store } from '../../runtime/store/store.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import {
  asker, askerAt, DAY, dns, mounted, openssl, random, refusedFor, request, sign, START, withRole, zoned,
} from './pki-fixture.ts'
import { failure } from './vault-fixture.ts'

const reasonOf = async (work: () => Promise<unknown>): Promise<string> => {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof CertificateRefused)) throw error
    return String((error as InstanceType<typeof CertificateRefused>).details.reason)
  }
  return 'signed'
}

test('a request that was changed anywhere is refused, and nothing is kept of it', async () => {
  const made = await withRole({ allow_any_name: true })
  const use = await made.pki.roles.read('web')
  const der = decodePem(request({ commonName: 'a.example' }), 'CERTIFICATE REQUEST')
  const reasons = new Set<string>()
  for (let at = 0; at < der.length; at++) {
    const changed = Uint8Array.from(der)
    changed[at]! ^= 1 << (at % 8)
    reasons.add(await reasonOf(() =>
      made.pki.issuing.sign(encodePem('CERTIFICATE REQUEST', changed), use, { names: [] }, asker)))
  }
  assert.equal([...reasons].sort(), ['key', 'request', 'signature'])
  for (const text of ['', 'no', encodePem('CERTIFICATE', der), encodePem('CERTIFICATE REQUEST', der).repeat(2)]) {
    await refusedFor('request', () => made.pki.issuing.sign(text, use, { names: [] }, asker))
  }
  assert.equal((await made.pki.certificates.page(undefined, 10)).certificates, [])
})

const P256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']

/** What OpenSSL makes of a request with extensions that no role gives. */
function opensslRequest(lines: readonly string[], key: readonly string[] = P256): string {
  const head = ['[req]', 'distinguished_name=dn', 'req_extensions=ext', 'prompt=no', '[dn]', 'CN=a.example', 'O=Some']
  const config = [...head, '[ext]', ...lines].join('\n')
  const how = ['-new', '-config', 'req.cnf', '-newkey', ...key, '-nodes', '-keyout', '/dev/null']
  return openssl({ 'req.cnf': config }, 'req', ...how)
    .replace(/^[^]*?(?=-----BEGIN CERTIFICATE REQUEST)/, '')
}

test('a request for an authority is refused, however it asks', async () => {
  const made = await withRole({ allow_any_name: true })
  const use = await made.pki.roles.read('web')
  for (const lines of [
    ['basicConstraints=critical,CA:TRUE'], ['basicConstraints=CA:TRUE,pathlen:0'], ['keyUsage=keyCertSign'],
    ['keyUsage=digitalSignature,cRLSign'],
  ]) {
    await refusedFor('authority-request', () =>
      made.pki.issuing.sign(opensslRequest(lines), use, { names: [] }, asker))
  }
})

test('nothing of the extensions and the subject of a request is taken but the names that the role allows', async () => {
  const made = await withRole({ allow_any_name: true, organization: 'Own', client_flag: false })
  const csr = opensslRequest([
    'basicConstraints=CA:FALSE', 'keyUsage=nonRepudiation,dataEncipherment', 'extendedKeyUsage=codeSigning,OCSPSigning',
    'subjectAltName=DNS:b.example', 'subjectKeyIdentifier=hash',
  ])
  const { der } = await made.pki.issuing.sign(csr, await made.pki.roles.read('web'), { names: [] }, asker)
  const text = openssl({ 'c.pem': encodePem('CERTIFICATE', der) }, 'x509', '-in', 'c.pem', '-noout', '-text')
  assert.match(text, /Subject: O = Own, CN = a\.example/)
  assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature, Key Agreement\n/)
  assert.match(text, /X509v3 Extended Key Usage: \s+TLS Web Server Authentication\n/)
  assert.match(text, /X509v3 Subject Alternative Name: \s+DNS:a\.example, DNS:b\.example\n/)
  assert.match(text, /CA:FALSE/)
  assert.is([...text.matchAll(/X509v3/g)].length, 7, 'extensions: the seven of a leaf and their heading')
})

test('a weak key is refused', async () => {
  const made = await withRole({ allow_any_name: true })
  const use = await made.pki.roles.read('web')
  for (const key of [['rsa:1024'], ['ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1']]) {
    const csr = opensslRequest(['basicConstraints=CA:FALSE'], key)
    const reason = await reasonOf(() => made.pki.issuing.sign(csr, use, { names: [] }, asker))
    assert.ok(reason === 'key' || reason === 'request', reason)
  }
})

test('serials are 20 bytes, positive, never the same, and without a pattern', async () => {
  const made = await withRole({})
  const keys = new Set<string>()
  let ones = 0
  for (let index = 0; index < 200; index++) {
    const { key, der } = await sign(made, 'web', { commonName: 'localhost' })
    const { serial } = parseCertificate(der)
    assert.ok(serial.length >= 18 && serial.length <= 20 && (serial.length < 20 || serial[0]! < 0x80))
    for (const byte of serial) ones += byte.toString(2).replaceAll('0', '').length
    keys.add(key)
  }
  assert.is(keys.size, 200)
  assert.ok(Math.abs(ones / 200 - 79.5) < 3, `bits that are set: ${ones / 200}`)
})

test('a serial that exists is never given a second time', async () => {
  // A generator that repeats itself once
  let last: Uint8Array | undefined
  let repeats = 0
  const repeating: Random = {
    ...random,
    bytes(length) {
      if (length !== 20) return random.bytes(length)
      last = repeats-- > 0 ? last! : random.bytes(length)
      return Uint8Array.from(last)
    },
  }
  const made = await zoned('pki', { random: repeating })
  const first = await sign(made, 'ood', {}, {}, askerAt('ood1'))
  repeats = 1
  const second = await sign(made, 'ood', {}, {}, askerAt('ood1'))
  assert.is(repeats, -1, 'it drew again')
  assert.not.equal(first.key, second.key)
  assert.is((await made.pki.certificates.page(undefined, 10)).certificates.length, 2)
})

test('a certificate is in the store before it is answered, and a store that fails gives none', async () => {
  let fails = false
  const inner = createMemoryStore({ clock: systemClock, random })
  let committed = 0
  const store: Store = Object.assign(Object.create(inner) as Store, {
    id: inner.id, get: inner.get.bind(inner), list: inner.list.bind(inner),
    transact: async (...given: Parameters<Store['transact']>) => {
      if (fails) throw new Overloaded('The disk does not answer')
      const result = await inner.transact(...given)
      committed++
      return result
    },
  })
  const made = await zoned('pki', { store })
  const before = committed
  const { key } = await sign(made, 'ood', {}, {}, askerAt('ood1'))
  assert.is(committed, before + 1, 'one transaction')
  assert.ok(await inner.get(`pki/${certificatePath(key)}`))
  fails = true
  await failure(Overloaded, () => sign(made, 'ood', {}, {}, askerAt('ood1')))
  fails = false
  assert.is((await made.pki.certificates.page(undefined, 10)).certificates.length, 1)
})

test('the inventory tells of each certificate once, page by page, with its holder, names and end', async () => {
  const made = await withRole({})
  const keys: string[] = []
  for (let index = 0; index < 7; index++) {
    const by = { holder: `actor${index}@ood1` }
    const { key } = await sign(made, 'web', { commonName: 'localhost' }, { ttl: 60 + index }, by)
    keys.push(key)
  }
  const seen: string[] = []
  for (let after: string | undefined; ;) {
    const { certificates, more } = await made.pki.certificates.page(after, 3)
    seen.push(...certificates.map(({ serial }) => serial.replaceAll(':', '')))
    after = certificates.at(-1)?.serial
    if (!more) break
  }
  assert.equal(seen, [...keys].sort())
  const found = made.pki.certificates.told(await made.pki.certificates.read(keys[4]!))
  const { pem, authority, serial, ...rest } = found
  assert.equal(rest, {
    role: 'web', subject: 'CN=localhost', names: ['localhost'], holder: 'actor4@ood1', notBefore: START - 30_000,
    notAfter: START + 64_000,
  })
  assert.is(authority, (await made.pki.authorities.fresh()).signer!.id)
  assert.match(pem, /^-----BEGIN CERTIFICATE-----\n/)
  for (const form of [serial, serial.replaceAll(':', '-'), serial.replaceAll(':', ''), serial.toUpperCase()]) {
    assert.is((await made.pki.certificates.read(form)).key, keys[4])
  }
  for (const form of ['', 'zz', '0a:1', `${serial}:aa`, '../authorities', '00']) {
    await failure(NotInVault, () => made.pki.certificates.read(form))
  }
  await failure(InvalidArgument, () => made.pki.certificates.page('no serial', 10))
})

test('a record that was damaged is refused by its path, and the others are read on', async () => {
  const made = await withRole({})
  const { key } = await sign(made, 'web', { commonName: 'localhost' })
  await sign(made, 'web', { commonName: 'localhost' })
  const path = `mine/${certificatePath(key)}`
  const intact = (await made.store.get(path))!.value
  for (let at = 0; at < intact.length; at += 7) {
    const changed = Uint8Array.from(intact)
    changed[at]! ^= 0x10
    await made.store.put(path, changed)
    const error = await failure(VaultDamaged, () => made.pki.certificates.read(key))
    assert.is(error.details.path, path)
  }
  for (const length of [0, 1, 40, intact.length - 1]) {
    await made.store.put(path, intact.slice(0, length))
    await failure(VaultDamaged, () => made.pki.certificates.read(key))
  }
  await made.store.put(path, intact)
  await made.pki.certificates.read(key)
})

test('a record that opens and is none of this format is damage as well', () => {
  const whole = encodeRecord({
    role: 'web', holder: 'me', authority: new Uint8Array(32).fill(7), notAfter: START, revokedAt: START - DAY,
    der: Uint8Array.of(1, 2, 3),
  })
  const { der, authority, ...rest } = decodeRecord('p', whole)
  assert.equal(rest, { role: 'web', holder: 'me', notAfter: START, revokedAt: START - DAY })
  assert.equal([...der], [1, 2, 3])
  assert.is(authority.length, 32)
  const changes: readonly ((record: Uint8Array) => Uint8Array)[] = [
    (record) => record.slice(0, 20), (record) => record.slice(0, record.length - 3),
    (record) => record.fill(2, 0, 1), (record) => record.fill(250, 45, 46), (record) => record.fill(0xff, 47, 50),
  ]
  for (const change of changes) {
    let error: unknown
    try {
      decodeRecord('p', change(Uint8Array.from(whole)))
    } catch (thrown) {
      error = thrown
    }
    assert.instance(error, VaultDamaged)
  }
})

test('authorities that were damaged sign nothing, and say where', async () => {
  const made = await zoned()
  const path = 'pki/authorities'
  const intact = (await made.store.get(path))!.value
  const changed = Uint8Array.from(intact)
  changed[100]! ^= 1
  await made.store.put(path, changed)
  const error = await failure(VaultDamaged, () => sign({ ...made, pki: made.again() }, 'ood', {}, {}, askerAt('ood1')))
  assert.is(error.details.path, path)
})

test('a mount without an authority, and one without the role, refuse', async () => {
  const empty = mounted('mine')
  await empty.pki.roles.write('web', { key_type: 'any' })
  await refusedFor('no-authority', () => sign(empty, 'web', { commonName: 'localhost' }))
  await failure(NotInVault, async () => sign(await zoned(), 'nobody', { names: [dns('localhost')] }))
})

test.run()
