/** Each field of a role: a request that is just inside of it, and one that is just outside. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { allowsName, matchesGlob } from '../../actors/vault/pki/role-names.ts'
import { defaultRole, readRole, roleFields, type Role } from '../../actors/vault/pki/role.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { sameBytes } from '../../runtime/x509/der.ts'
import { displayName } from '../../runtime/x509/name.ts'
import {
  DAY, dns, email, ip, keys, random, refusedFor, sign, START, uri, withRole,
  type Asked, type Mounted,
} from './pki-fixture.ts'
import { failure } from './vault-fixture.ts'

type Given = Readonly<Record<string, unknown>>
type Wish = Parameters<typeof sign>[3]

async function signed(made: Mounted, asked: Asked, wish: Wish = {}) {
  const issued = await sign(made, 'web', asked, wish)
  return parseCertificate(issued.der)
}
const namesOf = (certificate: ReturnType<typeof parseCertificate>): readonly string[] =>
  (certificate.extensions.names ?? []).map(({ type, value }) => `${type}:${value}`)

/** What a role allows, and what it does not; both as a common name and as an alternative name. */
const nameCases: readonly (readonly [role: Partial<Role>, inside: readonly string[], outside: readonly string[]])[] = [
  [{ allowed_domains: ['a.example'], allow_bare_domains: true }, ['a.example', 'A.Example'],
    ['b.a.example', 'xa.example', 'a.example.b', '*.a.example']],
  [{ allowed_domains: ['a.example'], allow_subdomains: true },
    ['b.a.example', 'c.b.a.example', '*.a.example', '*.b.a.example'],
    ['a.example', 'ba.example', 'a.example.c', '*.example']],
  [{ allowed_domains: ['a.example'], allow_subdomains: true, allow_wildcard_certificates: false }, ['b.a.example'],
    ['*.a.example', '*.b.a.example']],
  [{ allowed_domains: ['w*.a.example'], allow_glob_domains: true }, ['w.a.example', 'web1.a.example', 'w.b.a.example'],
    ['eb.a.example', 'w.a.exampl', 'w.a.example.b']],
  [{ allowed_domains: ['w*.a.example'] }, [], ['w.a.example', 'w1.a.example']],
  [{}, ['localhost'], ['local.localhost', '*.localhost', 'localhost.a', 'a.example']],
  [{ allow_subdomains: true }, ['a.localhost', 'a.localdomain', '*.localhost'], ['alocalhost']],
  [{ allow_localhost: false }, [], ['localhost', 'localdomain']],
  [{ allow_any_name: true }, ['a.example', '*.example', 'x'],
    ['a_b.example', '-a.example', 'a..example', '*.*.example', 'a*.example', 'x*a.example']],
  [{ allow_any_name: true, allow_wildcard_certificates: false }, ['a.example'], ['*.a.example']],
  [{ allowed_domains: ['a.example'], allow_bare_domains: true }, ['me@a.example'],
    ['me@b.example', 'a@b@a.example', '@a.example']],
]

test('a name is allowed as bare domain, subdomain, glob, localhost or any, and not one label beside', async () => {
  for (const [role, inside, outside] of nameCases) {
    const rules = { ...defaultRole, ...role }
    for (const name of inside) assert.ok(allowsName(rules, name), `${JSON.stringify(role)} allows ${name}`)
    for (const name of outside) assert.not(allowsName(rules, name), `${JSON.stringify(role)} refuses ${name}`)
  }
})

test('what a role allows is certified, and one name outside refuses the whole request', async () => {
  const made = await withRole({ allowed_domains: 'a.example', allow_subdomains: true, require_cn: false })
  assert.equal(namesOf(await signed(made, { commonName: 'web.a.example' })), ['dns:web.a.example'])
  const two = [dns('api.a.example'), email('me@x.a.example')]
  const both = await signed(made, { commonName: 'web.a.example', names: two })
  assert.equal(namesOf(both), ['dns:web.a.example', 'dns:api.a.example', 'email:me@x.a.example'])
  await refusedFor('common-name', () => sign(made, 'web', { commonName: 'web.b.example' }))
  await refusedFor('name', () => sign(made, 'web', { commonName: 'web.a.example', names: [dns('web.b.example')] }))
  await refusedFor('name', () => sign(made, 'web', { names: [dns('web.a.example'), email('me@b.example')] }))
  assert.is((await made.pki.certificates.page(undefined, 100)).certificates.length, 2, 'nothing of a refusal is kept')
})

test('without enforce_hostnames a common name may be any text, which is no alternative name then', async () => {
  const loose = await withRole({ allow_any_name: true, enforce_hostnames: false })
  const certificate = await signed(loose, { commonName: 'Some Body' })
  assert.is(displayName(certificate.subject), 'CN=Some Body')
  assert.equal(namesOf(certificate), [])
  const strict = await withRole({ allow_any_name: true })
  await refusedFor('common-name', () => sign(strict, 'web', { commonName: 'Some Body' }))
})

test('IP addresses are allowed or not', async () => {
  const asked = { commonName: 'localhost', names: [ip('127.0.0.1'), ip('::1')] }
  assert.equal(namesOf(await signed(await withRole({}), asked)), ['dns:localhost', 'ip:127.0.0.1', 'ip:::1'])
  await refusedFor('ip', async () => sign(await withRole({ allow_ip_sans: false }), 'web', asked))
})

test('URIs are those of the patterns of the role', async () => {
  const made = await withRole({ allowed_uri_sans: ['spiffe://a/*', 'urn:one'], require_cn: false })
  for (const value of ['spiffe://a/', 'spiffe://a/b/c', 'urn:one']) {
    assert.equal(namesOf(await signed(made, { names: [uri(value)] })), [`uri:${value}`])
  }
  for (const value of ['spiffe://b/a', 'spiffe://a', 'urn:one2', 'xspiffe://a/b']) {
    await refusedFor('uri', () => sign(made, 'web', { names: [uri(value)] }))
  }
  const none = await withRole({})
  await refusedFor('uri', () => sign(none, 'web', { commonName: 'localhost', names: [uri('urn:a')] }))
})

test('a glob takes what its parts allow, in their order and once', () => {
  for (const [pattern, text] of [['*', ''], ['a*', 'a'], ['*a*b*', 'xaybz'], ['a*a', 'aa'], ['a', 'a']] as const) {
    assert.ok(matchesGlob(pattern, text), `${pattern} ${text}`)
  }
  const others = [['a*a', 'a'], ['*a*b*', 'ba'], ['a*bc*c', 'abc'], ['a', 'ab'], ['a*', 'ba']] as const
  for (const [pattern, text] of others) {
    assert.not(matchesGlob(pattern, text), `${pattern} ${text}`)
  }
})

test('a key is of the type and at least of the size that the role asks for', async () => {
  const [p256, p384, ed, rsa] = await Promise.all(
    (['ec-p256', 'ec-p384', 'ed25519', 'rsa-2048'] as const).map((type) => keys.certificates.generate(type, random)))
  const attempt = async (role: object, key: typeof p256) =>
    sign(await withRole({ ...role }), 'web', { commonName: 'localhost', key: key! })
  const allowed = [
    [{ key_type: 'any' }, p256], [{ key_type: 'any' }, rsa], [{ key_type: 'ec' }, p256], [{ key_type: 'ec' }, p384],
    [{ key_type: 'ec', key_bits: 384 }, p384], [{ key_type: 'ed25519' }, ed], [{ key_type: 'rsa' }, rsa],
    [{ key_type: 'rsa', key_bits: 2048 }, rsa],
  ] as const
  const others = [
    [{ key_type: 'ec' }, rsa], [{ key_type: 'ec', key_bits: 384 }, p256], [{ key_type: 'rsa' }, p256],
    [{ key_type: 'rsa', key_bits: 3072 }, rsa], [{ key_type: 'ed25519' }, p256], [{ key_type: 'ec' }, ed],
  ] as const
  for (const [role, key] of allowed) await attempt(role, key)
  for (const [role, key] of others) await refusedFor('key', () => attempt(role, key))
})

test('a key that is made here is of the type and size of the role', async () => {
  for (const [role, type] of [
    [{ key_type: 'ec' }, 'ec-p256'], [{ key_type: 'ec', key_bits: 384 }, 'ec-p384'],
    [{ key_type: 'ed25519' }, 'ed25519'], [{ key_type: 'any' }, keys.certificates.preferred],
    [{ key_type: 'rsa' }, 'rsa-2048'],
  ] as const) {
    const { pki } = await withRole(role)
    const issued = await pki.issuing.issue(await pki.roles.read('web'), { names: [], commonName: 'localhost' },
      { holder: 'test' })
    assert.is(issued.keyType, type)
    const { public: { spki } } = keys.certificates.importPem(issued.privateKey)
    assert.ok(sameBytes(spki, parseCertificate(issued.der).spki))
  }
})

test('a ttl is the role\'s when none is asked for, and what is over its longest is cut, with a warning', async () => {
  const made = await withRole({ ttl: '1h', max_ttl: '2h' })
  const life = async (wish: Wish) => {
    const { notAfter, warnings } = await sign(made, 'web', { commonName: 'localhost' }, wish)
    return [(notAfter - START) / 1_000, warnings.length]
  }
  assert.equal(await life({}), [3_600, 0])
  assert.equal(await life({ ttl: 60 }), [60, 0])
  assert.equal(await life({ ttl: 7_200 }), [7_200, 0])
  assert.equal(await life({ ttl: 7_201 }), [7_200, 1])
  assert.equal(await life({ notAfter: START + 90_000 }), [90, 0])
  const { warnings } = await sign(made, 'web', { commonName: 'localhost' }, { ttl: 7_201 })
  assert.match(warnings[0]!, /TTL "7201s" is longer than permitted maxTTL "7200s"/)
  await refusedFor('ttl', () => sign(made, 'web', { commonName: 'localhost' }, { notAfter: START }))
})

test('where neither role nor request say, a certificate lives for 32 days and no longer', async () => {
  const made = await withRole({})
  const { notAfter } = await sign(made, 'web', { commonName: 'localhost' })
  assert.is(notAfter - START, 32 * DAY)
  const longer = await sign(made, 'web', { commonName: 'localhost' }, { ttl: 33 * 86_400 })
  assert.equal([longer.notAfter - START, longer.warnings.length], [32 * DAY, 1])
})

test('a certificate that would outlive its authority is an error, and cut where the issuer says so', async () => {
  const made = await withRole({ max_ttl: '87600h' })
  const end = (await made.pki.authorities.fresh()).signer!.certificate.notAfter
  made.clock.ms = end - 10 * DAY
  const asked = { commonName: 'localhost' }
  assert.is((await sign(made, 'web', asked, { ttl: 10 * 86_400 })).notAfter, end)
  await refusedFor('not-after', () => sign(made, 'web', asked, { ttl: 10 * 86_400 + 1 }))
  await refusedFor('not-after', () => sign(made, 'web', asked))
  await made.pki.authorities.change(({ authorities }) => ({
    authorities: authorities.map(({ stored }) => ({ ...stored, overEnd: 'truncate' as const })),
  }))
  assert.is((await sign(made, 'web', asked, { ttl: 11 * 86_400 })).notAfter, end)
  made.clock.ms = end + 1_000
  await refusedFor('not-after', () => sign(made, 'web', asked))
})

test('notBefore is before now by what the role says, and by the skew of the asker up to ten minutes more', async () => {
  const back = async (role: Given, wish: Wish = {}) => {
    const made = await withRole(role)
    const { notBefore, notAfter } = await sign(made, 'web', { commonName: 'localhost' }, { ttl: 60, ...wish })
    assert.is(notAfter, START + 60_000, 'a skew never moves the end')
    return (START - notBefore) / 1_000
  }
  assert.is(await back({}), 30)
  assert.is(await back({ not_before_duration: '5m' }), 300)
  assert.is(await back({ not_before_duration: 0 }), 0)
  assert.is(await back({}, { skewMs: 1_000 }), 31)
  assert.is(await back({}, { skewMs: 600_000 }), 630)
  assert.is(await back({}, { skewMs: 600_001 }), 630)
  assert.is(await back({}, { skewMs: -5_000 }), 30)
})

test('usages are those of the flags and lists of the role, without what the key cannot do', async () => {
  const usages = async (role: Given) => {
    const certificate = await signed(await withRole(role), { commonName: 'localhost' })
    const { keyUsage, extendedKeyUsage } = certificate.extensions
    return [keyUsage, extendedKeyUsage]
  }
  assert.equal(await usages({}), [['digitalSignature', 'keyAgreement'], ['serverAuth', 'clientAuth']])
  assert.equal(await usages({ client_flag: false }), [['digitalSignature', 'keyAgreement'], ['serverAuth']])
  assert.equal(await usages({ server_flag: false, code_signing_flag: true, email_protection_flag: true }),
    [['digitalSignature', 'keyAgreement'], ['clientAuth', 'codeSigning', 'emailProtection']])
  assert.equal(await usages({ key_usage: ['contentcommitment'], ext_key_usage: 'TimeStamping', server_flag: false }),
    [['contentCommitment'], ['clientAuth', 'timeStamping']])
  assert.equal(await usages({ key_usage: [], server_flag: false, client_flag: false }), [undefined, undefined])
})

test('a common name and alternative names are taken from the request, or not', async () => {
  const asked = { commonName: 'localhost', names: [ip('127.0.0.1')] }
  const own = await withRole({ use_csr_common_name: false, use_csr_sans: false, require_cn: false })
  await refusedFor('names', () => sign(own, 'web', asked))
  assert.equal(namesOf(await signed(own, asked, { commonName: 'localdomain' })), ['dns:localdomain'])
  assert.equal(namesOf(await signed(await withRole({}), asked, { commonName: 'localdomain' })),
    ['dns:localhost', 'ip:127.0.0.1'])
  assert.equal(namesOf(await signed(await withRole({}), asked, { excludeCommonName: true })), ['ip:127.0.0.1'])
})

test('a common name is asked for, or not', async () => {
  const asked = { names: [dns('localhost')] }
  await refusedFor('common-name', async () => sign(await withRole({}), 'web', asked))
  const certificate = await signed(await withRole({ require_cn: false }), asked)
  assert.is(displayName(certificate.subject), '')
})

test('the subject is that of the role, and nothing of the request\'s but its common name', async () => {
  const made = await withRole({
    ou: 'one,two', organization: ['Org'], country: 'CH', locality: 'Here', province: 'There', street_address: 'Way 1',
    postal_code: '1234',
  })
  const { subject } = await signed(made, { commonName: 'localhost' })
  assert.is(displayName(subject),
    'CN=localhost,OU=two,OU=one,O=Org,POSTALCODE=1234,STREET=Way 1,L=Here,ST=There,C=CH')
})

test('of a role with no_store nothing is kept', async () => {
  const made = await withRole({ no_store: true })
  const { key } = await sign(made, 'web', { commonName: 'localhost' })
  assert.is(await made.pki.certificates.find(key), undefined)
  assert.equal((await made.pki.certificates.page(undefined, 10)).certificates, [])
})

test('a role that makes no sense, or that would not be enforced, cannot be written', async () => {
  const wrong: readonly object[] = [
    { allow_ip_sans: 'yes' }, { ttl: 'soon' }, { ttl: -1 }, { ttl: '2h', max_ttl: '1h' }, { key_type: 'dsa' },
    { key_bits: 1024 }, { key_type: 'ec', key_bits: 2048 }, { key_type: 'any', key_bits: 256 },
    { key_usage: 'CertSign' },
    { key_usage: 'CRLSign' }, { ext_key_usage: 'OCSPSigning' }, { allowed_domains: 7 }, { not_before_duration: '11m' },
    { allowed_other_sans: '*' }, { policy_identifiers: ['1.2'] }, { basic_constraints_valid_for_non_ca: true },
    { allowed_domains_template: true }, { issuer_ref: 'other' }, { use_pss: true }, { generate_lease: true },
  ]
  for (const data of wrong) {
    await failure(InvalidArgument, async () => readRole(data as Record<string, unknown>))
  }
  assert.equal(readRole({ strange: 1, allowed_other_sans: null, use_pss: false }).ignored, ['strange'])
})

test('every field of a role can be written, and is read as it was', async () => {
  const given: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(roleFields)) {
    given[name] = field.type === 'flag' ? !field.value : field.type === 'list' ? ['x'] : field.value
  }
  Object.assign(given, {
    key_usage: ['KeyAgreement'], ext_key_usage: ['ServerAuth'], ttl: 60, max_ttl: 61, key_type: 'ec', key_bits: 384,
  })
  const { pki } = await withRole(given)
  assert.equal((await pki.roles.read('web')).role as unknown, given)
})

test.run()
