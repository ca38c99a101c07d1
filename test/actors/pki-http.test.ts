/** HashiCorp Vault's paths below a mount of type `pki`: fields, rules and refusals of its documentation. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { fieldsOf, rfc3339 } from '../../actors/vault/pki/http/fields.ts'
import { CertificateRefused, NotInVault } from '../../actors/vault/protocol.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { displayName } from '../../runtime/x509/name.ts'
import { DAY, dns, keys, openssl, request, START } from './pki-fixture.ts'
import { pemOf, ready } from './pki-http-client.ts'
import { failure } from './vault-fixture.ts'

const test = suite('PKI by HTTP')

test('a certificate is issued with its key, its chain as an array, and its end in seconds', async () => {
  const { write, root, made } = await ready()
  const issued = await write('issue/web', {
    common_name: 'web.a.example', alt_names: 'b.a.example,me@c.a.example', ip_sans: '10.0.0.1', ttl: '1h',
  })
  assert.equal(Object.keys(issued).sort(), [
    'ca_chain', 'certificate', 'expiration', 'issuing_ca', 'private_key', 'private_key_type', 'serial_number',
  ])
  assert.equal([issued['issuing_ca'], issued['ca_chain']], [root['certificate'], [root['certificate']]])
  assert.equal([issued['private_key_type'], issued['expiration']], ['ec', START / 1_000 + 3_600])
  assert.match(String(issued['serial_number']), /^([0-9a-f]{2}:){17,19}[0-9a-f]{2}$/)
  const certificate = pemOf(issued['certificate'])
  assert.equal(certificate.extensions.names!.map(({ value }) => value),
    ['web.a.example', 'b.a.example', 'me@c.a.example', '10.0.0.1'])
  const key = keys.certificates.importPem(String(issued['private_key']))
  assert.equal([...key.public.spki], [...certificate.spki])
  const found = await made.pki.certificates.read(String(issued['serial_number']))
  assert.equal([found.stored.holder, found.stored.role], ['accessor-1', 'web'])
})

test('a ttl over the longest is cut with a warning, and a name outside the role refuses the request', async () => {
  const { answer, list, write } = await ready()
  const { data, warnings } = await answer('issue/web', { common_name: 'web.a.example', ttl: '100h' })
  assert.is(data!['expiration'], START / 1_000 + 72 * 3_600)
  assert.match(warnings![0]!, /TTL "360000s" is longer than permitted maxTTL "259200s"/)
  for (const body of [
    { common_name: 'a.example' }, { common_name: 'web.a.example', alt_names: 'web.b.example' },
    { common_name: 'web.a.example', uri_sans: 'urn:x' }, {},
    { common_name: 'web.a.example', alt_names: 'me@b.example' },
  ]) await failure(CertificateRefused, () => write('issue/web', body))
  await failure(InvalidArgument, () => write('issue/web', { common_name: 'web.a.example', other_sans: '1.2;UTF8:x' }))
  await failure(InvalidArgument, () => write('issue/nobody', { common_name: 'web.a.example' }))
  assert.is(((await list('certs'))['keys'] as string[]).length, 1)
})

test('an end beyond the authority\'s is an error, until the issuer is told to cut it', async () => {
  const { write, made } = await ready({ max_ttl: '876000h' })
  made.clock.ms += 3_649 * DAY
  const body = { common_name: 'web.a.example', ttl: '48h' }
  const error = await failure(CertificateRefused, () => write('issue/web', body))
  assert.is(error.details.reason, 'not-after')
  const changed = await write('issuer/default', { leaf_not_after_behavior: 'truncate' })
  assert.is(changed['leaf_not_after_behavior'], 'truncate')
  assert.ok(Number((await write('issue/web', body))['expiration']) < made.clock.ms / 1_000 + 2 * 86_400)
  await failure(InvalidArgument, () => write('issuer/default', { leaf_not_after_behavior: 'permit' }))
})

test('a request is signed with the names that it says, and there is no key in the answer', async () => {
  const { write } = await ready()
  const csr = request({ commonName: 'web.a.example', names: [dns('b.a.example')] })
  const signed = await write('sign/web', { csr, common_name: 'ignored.b.example', alt_names: 'ignored.b.example' })
  assert.not('private_key' in signed)
  const { names } = pemOf(signed['certificate']).extensions
  assert.equal(names!.map(({ value }) => value), ['web.a.example', 'b.a.example'])
  await failure(CertificateRefused, () => write('sign/web', { csr: request({ commonName: 'web.b.example' }) }))
  await failure(InvalidArgument, () => write('sign/web', {}))
})

test('verbatim takes any name and the whole subject, and no authority', async () => {
  const { write } = await ready()
  const csr = request({ commonName: 'Any Thing', names: [dns('x.b.example')] })
  const signed = pemOf((await write('sign-verbatim', { csr, ttl: '1h', ext_key_usage: 'ServerAuth' }))['certificate'])
  assert.is(displayName(signed.subject), 'CN=Any Thing')
  assert.equal(signed.extensions.extendedKeyUsage, ['serverAuth'])
  assert.is(signed.extensions.ca, undefined)
  const byRole = pemOf((await write('sign-verbatim/web', { csr }))['certificate'])
  assert.is(Math.round((byRole.notAfter - START) / 3_600_000), 72)
})

test('formats: DER is base64, a bundle has key, certificate and chain', async () => {
  const { write } = await ready()
  const der = await write('issue/web', { common_name: 'web.a.example', format: 'der' })
  assert.ok(parseCertificate(Uint8Array.from(Buffer.from(String(der['certificate']), 'base64'))).serial.length > 0)
  assert.not.match(String(der['private_key']), /-----/)
  const bundle = await write('issue/web', { common_name: 'web.a.example', format: 'pem_bundle' })
  assert.equal([...String(bundle['certificate']).matchAll(/BEGIN ([A-Z ]+)-/g)].map(([, label]) => label),
    ['PRIVATE KEY', 'CERTIFICATE', 'CERTIFICATE'])
  await failure(InvalidArgument, () => write('issue/web', { common_name: 'web.a.example', format: 'pkcs12' }))
})

test('roles are written, changed in parts, read, listed and removed', async () => {
  const { write, patch, read, list, remove, answer, engine } = await ready()
  assert.equal((await read('roles/web'))['allowed_domains'], ['a.example'])
  await patch('roles/web', { allow_bare_domains: true })
  assert.equal([(await read('roles/web'))['allow_bare_domains'], (await read('roles/web'))['max_ttl']], [true, 259_200])
  await write('roles/web', { key_type: 'ec' })
  assert.equal([(await read('roles/web'))['allowed_domains'], (await read('roles/web'))['max_ttl']], [[], 0])
  const { warnings } = await answer('roles/web', { strange: 1, name: 'web' })
  assert.match(warnings![0]!, /unrecognized parameters: \[strange\]/)
  assert.equal(await list('roles'), { keys: ['web'] })
  assert.equal([await engine.exists!('roles/web'), await engine.exists!('roles/new')], [true, false])
  await failure(InvalidArgument, () => write('roles/-x', {}))
  await failure(NotInVault, () => patch('roles/new', {}))
  await remove('roles/web')
  await failure(NotInVault, () => read('roles/web'))
  await failure(NotInVault, () => list('roles'))
})

test('a certificate is revoked by serial with hyphens or colons, or by itself, and its list says so', async () => {
  const { write, read, list, file } = await ready()
  const issued = await write('issue/web', { common_name: 'web.a.example' })
  const serial = String(issued['serial_number'])
  await failure(NotInVault, () => list('certs/revoked'))
  const revoked = await write('revoke', { serial_number: serial.replaceAll(':', '-') })
  assert.equal(revoked, {
    revocation_time: START / 1_000, revocation_time_rfc3339: rfc3339(START), state: 'revoked',
  })
  assert.equal(await write('revoke', { serial_number: serial }), revoked)
  assert.equal(await write('revoke', { certificate: issued['certificate'] }), revoked)
  assert.equal(await list('certs/revoked'), { keys: [serial] })
  const found = await read(`cert/${serial}`)
  assert.equal([found['revocation_time'], found['revocation_time_rfc3339']], [START / 1_000, rfc3339(START)])
  const crl = new TextDecoder().decode((await file('crl/pem')).body)
  const text = openssl({ 'crl.pem': crl }, 'crl', '-in', 'crl.pem', '-noout', '-text')
  assert.match(text, new RegExp(`Serial Number: ${serial.replaceAll(':', '').toUpperCase()}`))
  await failure(InvalidArgument, () => write('revoke', { serial_number: '0a:0b' }))
  await failure(InvalidArgument, () => write('revoke', {}))
  await failure(InvalidArgument, () => write('revoke', { serial_number: serial, certificate: issued['certificate'] }))
})

test('what nothing was kept of is revoked by itself, if it is of this mount, and by who has its key', async () => {
  const { write, list, made } = await ready({ no_store: true })
  const issued = await write('issue/web', { common_name: 'web.a.example' })
  await failure(InvalidArgument, () => write('revoke', { serial_number: issued['serial_number'] }))
  const other = await ready()
  const theirs = await other.write('issue/web', { common_name: 'web.a.example' })
  await failure(CertificateRefused, () => write('revoke', { certificate: theirs['certificate'] }))
  await failure(InvalidArgument, () => write('revoke-with-key', {
    certificate: issued['certificate'], private_key: theirs['private_key'],
  }))
  assert.is((await made.pki.certificates.page(undefined, 9)).certificates[0]!.revokedAt, undefined)
  await write('revoke-with-key', { certificate: issued['certificate'], private_key: issued['private_key'] })
  assert.equal(await list('certs/revoked'), { keys: [issued['serial_number']] })
})

test('authorities and lists are told to whoever asks, as files and as JSON', async () => {
  const { file, read, engine, root, write, list } = await ready()
  for (const path of [
    'ca', 'ca/pem', 'ca_chain', 'cert/ca', 'cert/ca_chain', 'cert/crl', 'cert/*', 'crl', 'crl/pem', 'issuers',
    'issuer/*/json', 'issuer/*/pem', 'issuer/*/der', 'issuer/*/crl', 'cert/*/raw', 'cert/*/raw/pem',
  ]) assert.ok(engine.open.includes(path), path)
  for (const path of ['certs', 'crl/rotate', 'issue/*', 'roles', 'revoke', 'tidy', 'keys', 'config/crl']) {
    assert.not(engine.open.includes(path), path)
  }
  assert.is(new TextDecoder().decode((await file('ca/pem')).body).trim(), root['certificate'])
  assert.equal([...(await file('ca')).body], [...pemOf(root['certificate']).raw])
  assert.is((await read('cert/ca'))['certificate'], root['certificate'])
  assert.equal((await read('cert/ca_chain'))['ca_chain'], [root['certificate']])
  assert.match(String((await read('cert/crl'))['certificate']), /BEGIN X509 CRL/)
  const { serial_number: serial, certificate } = await write('issue/web', { common_name: 'web.a.example' })
  assert.equal([...(await file(`cert/${serial}/raw`)).body], [...pemOf(certificate).raw])
  assert.is(new TextDecoder().decode((await file(`cert/${serial}/raw/pem`)).body).trim(), certificate)
  await failure(NotInVault, () => read('cert/0a-0b'))
  const { issuer_id: id } = root
  assert.equal((await list('issuers'))['keys'], [id])
  assert.is((await read(`issuer/${String(id)}/json`))['certificate'], root['certificate'])
  assert.is((await read('issuer/default'))['issuer_id'], id)
  assert.is((await read('config/issuers'))['default'], id)
  await failure(NotInVault, () => read('issuer/nobody'))
  await failure(NotInVault, () => read('no/such/path'))
})

test('settings of lists are read and written, and what is not supported is refused', async () => {
  const { write, read, answer } = await ready()
  assert.is((await read('config/crl'))['expiry'], '259200s')
  assert.is((await write('config/crl', { expiry: '24h' }))['expiry'], '86400s')
  for (const data of [{ expiry: '10s' }, { expiry: 'never' }, { disable: true }, { auto_rebuild: true }]) {
    await failure(InvalidArgument, async () => write('config/crl', data))
  }
  await write('config/urls', { crl_distribution_points: 'http://a.example/crl' })
  const issued = await write('issue/web', { common_name: 'web.a.example' })
  assert.equal(pemOf(issued['certificate']).extensions.crlUrls, ['http://a.example/crl'])
  for (const data of [
    { ocsp_servers: 'http://a.example' }, { crl_distribution_points: 'ldap://a.example' },
    { crl_distribution_points: Array.from({ length: 9 }, () => 'http://a.example') },
  ]) await failure(InvalidArgument, async () => answer('config/urls', data))
})

test('a tidy is begun, and its status says what it did', async () => {
  const { answer, write, read, made } = await ready()
  assert.is((await read('tidy-status'))['state'], 'Inactive')
  await write('issue/web', { common_name: 'web.a.example', ttl: '1h' })
  made.clock.ms += 2 * 3_600_000
  assert.is((await answer('tidy', { safety_buffer: '10m' })).status, 202)
  for (let turn = 0; turn < 50 && (await read('tidy-status'))['state'] === 'Running'; turn++) await Promise.resolve()
  const status = await read('tidy-status')
  assert.equal([status['state'], status['cert_store_deleted_count'], status['safety_buffer']], ['Finished', 1, 600])
})

test('times are those of RFC 3339, and no other text is one', () => {
  for (const text of ['1999-12-31T23:59:59Z', '2024-02-29T00:00:00Z', '2049-12-31T23:59:59Z', '2050-01-01T00:00:00Z']) {
    assert.is(rfc3339(fieldsOf({ at: text }).time('at')!), text)
  }
  assert.is(fieldsOf({ at: '2030-01-01T00:00:00Z' }).time('at'), 1_893_456_000_000)
  for (const text of [
    '2023-02-29T00:00:00Z', '2024-13-01T00:00:00Z', '2024-01-01 00:00:00Z', '2024-01-01T00:00:00+01:00', 'now',
  ]) {
    assert.throws(() => fieldsOf({ at: text }).time('at'), /must be a time/)
  }
})

test.run()
