/** The certificate that an OOD shows to hosts: by the name that its config says it is reached by, and by no other. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { makeCertificate } from '../actors/enrolment/server-certificate.ts'
import { Vault } from '../actors/vault/protocol.ts'
import { catalogue } from '../boot/catalogue.ts'
import { listenOf } from '../boot/commands/join-given.ts'
import { parseCertificate } from '../runtime/x509/certificate.ts'
import { decodePems } from '../runtime/x509/pem.ts'
import { removeFolders } from './boot-fixtures/command-line.ts'
import { joiningZone, platform, type JoiningZone } from './boot-fixtures/joining.ts'

/** Nothing on this machine has that name: the vault alone is told of it. */
const NAME = 'ood.example'
let zone: JoiningZone

test.before(async () => {
  zone = await joiningZone('', undefined, undefined, {
    actors: (stores, config, ...more) => {
      const named = catalogue(stores, { ...config, addr: `${NAME}:50051` }, ...more)
      return catalogue(stores, config, ...more).map((spec) =>
        (spec.protocol.name === Vault.name ? named.find(({ protocol }) => protocol.name === Vault.name)! : spec))
    },
  })
})
test.after(async () => {
  await (zone as JoiningZone | undefined)?.stop()
  removeFolders()
})

const made = async (hostname: string): Promise<readonly string[]> => {
  const { keys, random, clock } = platform
  const { certificate } = await makeCertificate({
    keys, random, clock, hostname, vault: zone.zone.get(Vault), stopping: new AbortController().signal,
    self: { zone: 'zone.local', host: 'ood1', actor: 'enrolment', runtimeType: '', incarnation: 1, linkKid: '' },
    log: { info() {}, warn() {}, error() {} },
  })
  return (parseCertificate(decodePems(certificate, 'CERTIFICATE', 4)[0]!).extensions.names ?? [])
    .map(({ type, value }) => `${type}:${value}`)
}

test('it is for the host, and for the name or address of `addr`', async () => {
  const own = 'uri:spiffe://zone.local/ood/ood1'
  assert.equal(await made('Ood.Example'), [own, 'dns:ood1', `dns:${NAME}`])
  assert.equal(await made('127.0.0.1'), [own, 'dns:ood1', 'ip:127.0.0.1'])
  assert.match(await made('other.example').then(String, (error: Error) => error.message), /does not allow this name/)
})

test('an OOD that joins is reached by something that there is', () => {
  for (const address of ['0.0.0.0:1', '[::]:1', '[::ffff:0.0.0.0]:1']) {
    assert.throws(() => listenOf(address), /No other host can connect to/)
  }
  for (const address of ['ood2.example:50051', '10.0.0.1:1', '[fe80::1]:1']) assert.is(listenOf(address), address)
})

test.run()
