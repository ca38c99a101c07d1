/** The roles that every zone has: who a certificate is for, and that nobody gets one as somebody else. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { InvalidArgument } from '../../runtime/errors.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { askerAt, dns, ip, refusedFor, sign, uri, zoned, type Asked } from './pki-fixture.ts'
import { failure } from './vault-fixture.ts'

const test = suite('roles of the zone')

const namesOf = (certificate: ReturnType<typeof parseCertificate>): readonly string[] =>
  (certificate.extensions.names ?? []).map(({ type, value }) => `${type}:${value}`)

test('a certificate of the zone says who it is for, by the link of who asks or by the name that is given', async () => {
  const made = await zoned('pki', { hostnames: ['zone.example'] })
  const names = async (role: string, asked: Asked, by = askerAt('ood1')) =>
    namesOf(parseCertificate((await sign(made, role, asked, {}, by)).der))
  const served = [dns('localhost'), dns('a.zone.local'), dns('zone.example'), ip('127.0.0.1')]
  assert.equal(await names('vault', { names: served }),
    ['uri:spiffe://zone.local/service/vault', 'dns:localhost', 'dns:a.zone.local', 'dns:zone.example', 'ip:127.0.0.1'])
  assert.equal(await names('ood', { names: [dns('ood1'), dns('ood1.zone.local')] }),
    ['uri:spiffe://zone.local/ood/ood1', 'dns:ood1', 'dns:ood1.zone.local'])
  assert.equal(await names('ood', { names: [dns('ood1'), dns('zone.example')] }),
    ['uri:spiffe://zone.local/ood/ood1', 'dns:ood1', 'dns:zone.example'])
  assert.equal(await names('ood', {}, askerAt('ood2')), ['uri:spiffe://zone.local/ood/ood2'])
  assert.equal(await names('gateway', { names: [dns('zone.example')] }),
    ['uri:spiffe://zone.local/gateway/ood1', 'dns:zone.example'])
  for (const kind of ['node', 'service', 'client-device']) {
    assert.equal(await names(kind, { commonName: 'n7' }), [`uri:spiffe://zone.local/${kind}/n7`])
  }
  const mine = { commonName: 'ood1', names: [uri('spiffe://zone.local/ood/ood1')] }
  assert.equal(await names('ood', mine), ['uri:spiffe://zone.local/ood/ood1'])
})

test('nobody is certified as somebody else of the zone, by no role and on no way', async () => {
  const made = await zoned('pki')
  const other = uri('spiffe://zone.local/ood/ood2')
  await refusedFor('uri', () => sign(made, 'ood', { names: [other] }, {}, askerAt('ood1')))
  await refusedFor('common-name', () => sign(made, 'ood', { commonName: 'ood2' }, {}, askerAt('ood1')))
  await refusedFor('name', () => sign(made, 'ood', { names: [dns('ood2')] }, {}, askerAt('ood1')))
  await refusedFor('name', () => sign(made, 'ood', { names: [dns('zone.example')] }, {}, askerAt('ood1')))
  await refusedFor('name', () => sign(made, 'ood', { names: [dns('a.ood1.zone.local')] }, {}, askerAt('ood1')))
  await refusedFor('name', () => sign(made, 'vault', { names: [dns('a.zone.locale')] }, {}, askerAt('ood1')))
  await refusedFor('identity', () => sign(made, 'ood', {}))
  await refusedFor('identity', () => sign(made, 'node', {}))
  await refusedFor('identity', () => sign(made, 'node', { commonName: 'a/b' }))
  await refusedFor('identity', () => sign(made, 'service', { commonName: 'Not.A.Name' }))
  await refusedFor('ip', () => sign(made, 'client-device', { commonName: 'd1', names: [ip('10.0.0.1')] }))
  const wide = { allow_any_name: true, allowed_uri_sans: '*', key_type: 'any', require_cn: false }
  await made.pki.roles.write('wide', wide)
  await refusedFor('uri', () => sign(made, 'wide', { names: [other] }))
  const foreign = await sign(made, 'wide', { names: [uri('spiffe://zone.other/ood/ood2')] })
  assert.equal(namesOf(parseCertificate(foreign.der)), ['uri:spiffe://zone.other/ood/ood2'])
})

test('etcd gets members that serve and ask, with any name, and clients that only ask', async () => {
  const made = await zoned('pki-etcd')
  const asked = { commonName: 'etcd1', names: [dns('etcd1.lan'), ip('10.0.0.1')] }
  const member = parseCertificate((await sign(made, 'member', asked)).der)
  assert.equal(member.extensions.extendedKeyUsage, ['serverAuth', 'clientAuth'])
  assert.equal(namesOf(member), ['dns:etcd1', 'dns:etcd1.lan', 'ip:10.0.0.1'])
  const client = parseCertificate((await sign(made, 'client', { commonName: 'ood1' })).der)
  assert.equal(client.extensions.extendedKeyUsage, ['clientAuth'])
})

test('the roles of the zone are its own: they are not written, and not removed', async () => {
  const { pki } = await zoned('pki')
  for (const name of ['ood', 'vault', 'service']) {
    await failure(InvalidArgument, () => pki.roles.write(name, { allow_any_name: true }))
    await failure(InvalidArgument, () => pki.roles.remove(name))
  }
  assert.equal(await pki.roles.list(), ['client-device', 'gateway', 'node', 'ood', 'service', 'vault'])
})

test.run()
