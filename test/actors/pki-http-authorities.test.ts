/** Authorities that a client of HashiCorp Vault makes below a mount of its own, and those of the zone, which it cannot. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CertificateRefused, NotInVault } from '../../actors/vault/protocol.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { displayName } from '../../runtime/x509/name.ts'
import { DAY, keys, mounted, openssl, request, START, zoned } from './pki-fixture.ts'
import { client, pemOf, ready } from './pki-http-client.ts'
import { failure } from './vault-fixture.ts'

const test = suite('authorities by HTTP')

test('a root is made with or without telling its key, a second one waits until it is to take over', async () => {
  const made = mounted('mine')
  const { write, read, list, remove } = client(made)
  await failure(NotInVault, () => read('cert/ca'))
  await failure(InvalidArgument, () => write('root/generate/internal', {}))
  await failure(InvalidArgument, () => write('root/generate/elsewhere', { common_name: 'x' }))
  const odd = { common_name: 'x', key_type: 'ec', key_bits: 2048 }
  await failure(InvalidArgument, () => write('root/generate/internal', odd))
  const asked = { common_name: 'One', key_type: 'ec', key_bits: 384, country: 'CH' }
  const first = await write('root/generate/exported', asked)
  assert.is(displayName(pemOf(first['certificate']).subject), 'CN=One,C=CH')
  const key = keys.certificates.importPem(String(first['private_key']))
  assert.equal([key.public.type, first['private_key_type']], ['ec-p384', 'ec'])
  const second = await write('root/rotate/internal', { common_name: 'Two', key_type: 'ec' })
  assert.not('private_key' in second)
  assert.is((await read('cert/ca'))['certificate'], first['certificate'])
  assert.equal(await write('root/replace', { default: second['issuer_id'] }), { default: second['issuer_id'] })
  assert.is((await read('cert/ca'))['certificate'], second['certificate'])
  assert.is(((await list('keys'))['keys'] as string[]).length, 2)
  await remove('root')
  await failure(NotInVault, () => read('cert/ca'))
})

test('an intermediate is made here and signed there, and its certificates are good', async () => {
  const { write, made } = await ready()
  const below = client(mounted('below'))
  const { csr } = await below.write('intermediate/generate/internal', { common_name: 'Below', key_type: 'ec' })
  const signed = await write('root/sign-intermediate', { csr, common_name: 'Below', ttl: '43800h', max_path_length: 0 })
  assert.equal(pemOf(signed['certificate']).extensions.ca, { pathLength: 0 })
  assert.ok(await made.pki.certificates.read(String(signed['serial_number'])))
  const [another] = signed['ca_chain'] as string[]
  await failure(NotInVault, () => below.write('intermediate/set-signed', { certificate: another }))
  const bundle = [signed['certificate'], ...signed['ca_chain'] as string[]].join('\n')
  const set = await below.write('intermediate/set-signed', { certificate: bundle })
  assert.is((set['imported_issuers'] as string[]).length, 1)
  await below.write('roles/any', { allow_any_name: true, key_type: 'ec' })
  const issued = await below.write('issue/any', { common_name: 'x.example' })
  assert.equal(issued['ca_chain'], [signed['certificate'], ...signed['ca_chain'] as string[]])
  const chain = issued['ca_chain'] as string[]
  const verdict = openssl({ 'leaf.pem': String(issued['certificate']), 'i.pem': chain[0]!, 'r.pem': chain[1]! },
    'verify', '-x509_strict', '-attime', String(START / 1_000), '-CAfile', 'r.pem', '-untrusted', 'i.pem', 'leaf.pem')
  assert.match(verdict, /leaf\.pem: OK/)
  const further = { csr, common_name: 'x' }
  const error = await failure(CertificateRefused, () => below.write('root/sign-intermediate', further))
  assert.is(error.details.reason, 'authority-request')
})

test('an authority that was made elsewhere is imported with its key, and nothing else is taken for one', async () => {
  const from = client(mounted('from'))
  const root = await from.write('root/generate/exported', { common_name: 'Elsewhere', key_type: 'ec' })
  const made = mounted('mine')
  const { write, read } = client(made)
  const bundle = `${String(root['private_key'])}\n${String(root['certificate'])}`
  await write('config/ca', { pem_bundle: bundle })
  assert.is((await read('cert/ca'))['certificate'], root['certificate'])
  await from.write('roles/any', { allow_any_name: true, key_type: 'ec' })
  const leaf = await from.write('issue/any', { common_name: 'x.example' })
  const key = String(leaf['private_key'])
  for (const wrong of [
    String(root['certificate']), String(root['private_key']), `${key}\n${String(leaf['certificate'])}`,
    `${key}\n${String(root['certificate'])}`, '',
  ]) await failure(InvalidArgument, () => write('config/ca', { pem_bundle: wrong }))
  const late = mounted('late')
  late.clock.ms += 4_000 * DAY
  const error = await failure(InvalidArgument, () => client(late).write('config/ca', { pem_bundle: bundle }))
  assert.match(error.message, /has ended/)
})

test('the authorities of the zone are made by the zone alone', async () => {
  const { write, remove, read } = client(await zoned())
  const before = (await read('cert/ca'))['certificate']
  const attempts: readonly (() => Promise<unknown>)[] = [
    () => write('root/generate/exported', { common_name: 'x', key_type: 'ec' }), () => remove('root'),
    () => write('intermediate/generate/internal', { common_name: 'x', key_type: 'ec' }),
    () => write('intermediate/set-signed', { certificate: 'x' }), () => write('config/ca', { pem_bundle: 'x' }),
    () => write('root/sign-intermediate', { csr: request({ commonName: 'x' }), common_name: 'x' }),
  ]
  for (const attempt of attempts) await failure(InvalidArgument, attempt)
  assert.is((await read('cert/ca'))['certificate'], before)
})

test.run()
