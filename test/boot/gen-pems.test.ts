/** What `gen pems` writes: judged by openssl, by its permissions, and by what a second run leaves alone. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pemsProgress, pemsSummary } from '../../boot/commands/pems-lines.ts'
import { certificatesIn, fault } from '../../boot/etcd/certificates.ts'
import { readPair } from '../../boot/etcd/pair.ts'
import { wantedCertificates } from '../../boot/etcd/wanted.ts'
import { styleOf } from '../../boot/render.ts'
import { AnchorDocument, anchorDocumentType } from '../../boot/etcd/anchor.ts'
import { pems } from '../../boot/etcd/names.ts'
import { lastPemsStep } from '../../boot/sequences.ts'
import { verifyDocument } from '../../runtime/trust/keys.ts'
import {
  configText, newFolder, openssl, PATH, pemsIn, picture, platform, removeFolders,
} from '../boot-fixtures/pems.ts'

test.after(removeFolders)

const folder = newFolder()
const first = await pemsIn(folder)
const at = (...names: readonly string[]): string => join(folder, ...names)
const members = ['etcd-etcd1.example-2379', 'etcd-10.0.0.2-2379', 'etcd-fd00__3-2379']
const certificates = [
  ...members.map((name) =>
    ({ name: `pems/${name}/cert.pem`, key: `pems/${name}/private.key`, ca: pems.etcdAuthority })),
  { name: pems.etcdClient.certificate, key: pems.etcdClient.key, ca: pems.etcdAuthority },
  { name: pems.server.certificate, key: pems.server.key, ca: pems.root },
]

test('it makes every file that the documentation names, and no other', () => {
  assert.is(first.error?.message, undefined)
  assert.equal(readdirSync(at('pems')).sort(), [
    'anchor.doc', 'etcd-ca.pem', 'etcd-ca.sealed', 'etcd-client.key', 'etcd-client.pem', ...members, 'root.pem',
    'server.key', 'server.pem',
  ].sort())
  for (const member of members) {
    assert.equal(readdirSync(at('pems', member)).sort(), ['ca.pem', 'cert.pem', 'private.key'])
  }
  assert.is(readdirSync(at('recovery-shares')).length, 5)
})

test('keys and shares are for this user alone, and so are their folders', () => {
  const keys = [...certificates.map(({ key }) => key), pems.etcdSealed, 'owner.key', 'device.key', 'unseal.key',
    ...readdirSync(at('recovery-shares')).map((name) => `recovery-shares/${name}`)]
  for (const name of keys) assert.is((statSync(at(name)).mode & 0o777).toString(8), '600', name)
  for (const name of ['', 'pems', 'recovery-shares', ...members.map((each) => `pems/${each}`)]) {
    assert.is((statSync(at(name)).mode & 0o777).toString(8), '700', name)
  }
})

for (const { name, key, ca } of certificates) {
  test(`openssl accepts ${name}, strictly, and it is for its key`, () => {
    const verified = openssl('verify', '-x509_strict', '-CAfile', at(ca), '-untrusted', at(name), at(name))
    assert.is(verified.status, 0, verified.text)
    const ofKey = openssl('pkey', '-in', at(key), '-pubout').text
    assert.is(openssl('x509', '-in', at(name), '-noout', '-pubkey').text, ofKey)
  })
}

test('a member is known by its own name or address, and by the name that clients ask for', () => {
  const names = (member: string): string =>
    openssl('x509', '-in', at('pems', member, 'cert.pem'), '-noout', '-ext', 'subjectAltName').text
  assert.match(names(members[0]!), /DNS:etcd1\.example, DNS:localhost, DNS:etcd\.zone\.local, IP Address:127\.0\.0\.1/)
  assert.match(names(members[1]!), /IP Address:10\.0\.0\.2, IP Address:127\.0\.0\.1/)
  assert.match(names(members[2]!), /IP Address:FD00:0:0:0:0:0:0:3/)
  for (const member of members) {
    assert.match(names(member), /DNS:etcd\.zone\.local/)
    const usage = openssl('x509', '-in', at('pems', member, 'cert.pem'), '-noout', '-ext', 'extendedKeyUsage').text
    assert.match(usage, /TLS Web Server Authentication, TLS Web Client Authentication/)
  }
  const client = openssl('x509', '-in', at(pems.etcdClient.certificate), '-noout', '-ext', 'extendedKeyUsage').text
  assert.match(client, /TLS Web Client Authentication/)
  assert.not.match(client, /Server/)
  const server = openssl('x509', '-in', at(pems.server.certificate), '-noout', '-ext', 'subjectAltName').text
  for (const name of ['DNS:ood1', 'DNS:localhost', 'IP Address:192.168.1.10', 'URI:spiffe://zone.local/ood/ood1']) {
    assert.ok(server.includes(name), `${name}: ${server}`)
  }
})

test('the CA of etcd is another one than that of the zone', () => {
  const found = openssl('verify', '-CAfile', at(pems.root), at('pems', members[0]!, 'cert.pem'))
  assert.is.not(found.status, 0)
  assert.is.not(readFileSync(at(pems.root), 'utf8'), readFileSync(at(pems.etcdAuthority), 'utf8'))
  for (const member of members) {
    assert.is(readFileSync(at('pems', member, 'ca.pem'), 'utf8'), readFileSync(at(pems.etcdAuthority), 'utf8'))
  }
})

test('the anchor is certified by the owner key, and that is said before the key is loaded', () => {
  const { zone } = first.made!.identity
  const text = readFileSync(at(pems.anchor), 'utf8').trim()
  const rule = { typ: anchorDocumentType, schema: AnchorDocument, key: zone.root }
  const verdict = verifyDocument(platform.keys, text, rule)
  assert.ok(verdict.accepted)
  assert.is(verdict.payload.zone, 'zone.local')
  const said = first.progress.find(({ type }) => type === 'anchor-signs')
  assert.equal(said, { type: 'anchor-signs', path: at('owner.key') })
})

test('the first four documented steps are marked by their receivers, and kept for the command that goes on', () => {
  assert.equal(first.steps.map(({ number, actor }) => `${number} ${actor}`), ['1 ood', '2 vault', '3 ood', '4 admin'])
  assert.ok(first.steps.every(({ sequence, host }) => sequence === 'init' && host === 'ood1'))
  const kept = JSON.parse(readFileSync(at('initialisation.json'), 'utf8')) as { steps: { number: number }[] }
  assert.equal(kept.steps.map(({ number }) => number), [1, 2, 3, lastPemsStep])
  const [, second, third, fourth] = first.steps
  const serial = (name: string): string =>
    openssl('x509', '-in', at(name), '-noout', '-serial').text.trim().replace('serial=', '').toLowerCase()
  const plain = (value: unknown): string => String(value).replaceAll(':', '')
  assert.is(plain(second!.evidence['root']), serial(pems.root))
  assert.is(plain(second!.evidence['etcd']), serial(pems.etcdAuthority))
  assert.is(plain(third!.evidence['server']), serial(pems.server.certificate))
  assert.is(plain(third!.evidence['client']), serial(pems.etcdClient.certificate))
  assert.is(third!.evidence['members'], members.length)
  assert.is(fourth!.evidence['files'], readdirSync(at('pems'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).length)
})

test('nothing that is told, shown or kept beside the keys holds a key or a share', () => {
  const secrets = [...certificates.map(({ key }) => key), 'owner.key', 'device.key', 'unseal.key',
    ...readdirSync(at('recovery-shares')).map((name) => `recovery-shares/${name}`)]
    // What follows it in the PEM of an elliptic key is the public one
    .map((name) => readFileSync(at(name), 'utf8').split('\n').find((line) => !/-----/.test(line))!)
  assert.ok(secrets.length > 10 && secrets.every((secret) => secret.length > 40))
  const others = Object.entries(picture(folder)).filter(([name]) =>
    !/\.key$/.test(name) && !name.startsWith('recovery-shares/')).map(([, text]) => text)
  const shown = first.progress.flatMap((each) => pemsProgress(each, {}, styleOf(false))).join('\n')
  for (const text of [first.told, shown, JSON.stringify(pemsSummary(first.made!)), ...others]) {
    assert.not.match(text, /PRIVATE KEY/)
    assert.is(secrets.find((secret) => text.includes(secret)), undefined)
  }
})

test('a second run changes nothing, not even a byte, and says so', async () => {
  const before = picture(folder)
  const { made, progress, error } = await pemsIn(folder)
  assert.is(error?.message, undefined)
  assert.equal(picture(folder), before)
  assert.equal(made!.written, [])
  assert.equal(made!.certificates.map(({ held }) => held.made), certificates.map(() => undefined))
  assert.not(progress.some(({ type }) => type === 'anchor-signs' || type === 'shares'), 'nothing is signed again')
})

test('--renew makes every certificate and every key anew, by the same authorities', async () => {
  const before = picture(folder)
  const { made } = await pemsIn(folder, { renew: true })
  const after = picture(folder)
  for (const { name, key } of certificates) {
    assert.is.not(after[name], before[name], name)
    assert.is.not(after[key], before[key], key)
  }
  for (const name of [pems.root, pems.etcdAuthority, pems.anchor, pems.etcdSealed]) {
    assert.is(after[name], before[name], name)
  }
  assert.ok(made!.certificates.every(({ held }) => held.made === 'it was to be renewed'))
})

test('a certificate past half of its life is to be made anew, and one that has ended says so', async () => {
  const { config } = first.made!
  const wanted = wantedCertificates(config)[0]!
  const roots = [readFileSync(at(pems.root), 'utf8')]
  const pair = await readPair(first.made!.files, wanted.names)
  const { notBefore, notAfter } = certificatesIn(pair!.certificate)[0]!
  const then = (ms: number) => fault({ ...platform, clock: { ...platform.clock, now: () => ms } }, pair, wanted, roots)
  assert.is(then((notBefore + notAfter) / 2 - 60_000), undefined)
  assert.match(then((notBefore + notAfter) / 2 + 60_000)!, /more than half of its life was over/)
  assert.match(then(notAfter)!, /it had ended/)
})

test('two at once: the second is refused, and the first is whole', async () => {
  const own = newFolder()
  const both = await Promise.all([pemsIn(own), pemsIn(own)])
  assert.equal(both.map(({ error }) => error?.code ?? 'made').sort(), ['FolderInUse', 'made'])
  assert.equal((await pemsIn(own)).made?.written, [])
})

const refused: readonly (readonly [what: string, text: string, message: RegExp])[] = [
  ['without etcd', 'tls_config: { enable: true }\n', /xline_config is missing: which etcd is it for\?/],
  ['without TLS', 'xline_config: { endpoints: ["https://a:1"] }\n', /tls_config\.enable is not true/],
  ['with an endpoint of plain HTTP', configText({ endpoints: ['http://a:1'] }), /it has to be https:/],
]
for (const [what, text, message] of refused) {
  test(`a config ${what} is refused before anything is made`, async () => {
    const own = join(newFolder(), 'zone')
    const { error } = await pemsIn(own, { config: { path: PATH, text } })
    assert.is(error?.code, 'ConfigInvalid')
    assert.match(error!.message, message)
    assert.type(error!.details!['next'], 'string')
    assert.not(existsSync(own))
  })
}

test.run()
