/** Parts of the listener: whom it takes for a host, from where somebody may join, and how often. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCidr, isWithin } from '../../actors/cidr.ts'
import { Sources } from '../../actors/enrolment/sources.ts'
import { renewalOf } from '../../actors/join-protocol.ts'
import { HostCertificateNeeded, openTrust, type ZoneTrust } from '../../actors/enrolment/trust.ts'
import { told } from '../../actors/vault/pki/authority-record.ts'
import { listPem } from '../../actors/vault/pki/revocation.ts'
import { Unavailable, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { decodePem } from '../../runtime/x509/pem.ts'
import { asked, csrFor, device, joinable, makeToken, type Vaulted } from './join-fixture.ts'
import { DAY, keys, ZONE } from './pki-fixture.ts'

interface Trusted {
  readonly trust: ZoneTrust
  readonly vault: Vaulted
  readonly warnings: string[]
  readonly roots: (readonly string[])[]
  /** Of the monotonic clock. */
  passMs(ms: number): void
  /** The vault does not answer. */
  down: boolean
  /** How often the vault was asked for a host. */
  asked: number
}

/** What the listener goes by, over the real authorities and lists. */
async function trusted(): Promise<Trusted> {
  const vault = await joinable()
  let monotonic = 0
  const warnings: string[] = []
  const roots: (readonly string[])[] = []
  const made = { down: false, asked: 0 }
  const reached = (): void => { if (made.down) throw new Unavailable('The vault does not answer') }
  const { pki } = vault
  const trust = await openTrust({
    zone: ZONE, keys, clock: { ...vault.clock, now: () => vault.clock.ms, monotonic: () => monotonic },
    warn: (message) => void warnings.push(message), onRoots: (now) => void roots.push(now),
    vault: {
      async authorities() {
        reached()
        return (await pki.authorities.fresh()).authorities.map((one) => told('pki', one))
      },
      async crl() {
        reached()
        await pki.revocation.refresh()
        return (await pki.revocation.lists()).map(({ authority, list }) =>
          ({ authority: authority.id, number: list.number, nextUpdate: list.nextUpdate, pem: listPem(list) }))
      },
      async joinedHost({ host }) {
        reached()
        made.asked++
        return vault.hosts.read(host)
      },
    },
  })
  return Object.assign(made, { trust, vault, warnings, roots, passMs: (ms: number) => { monotonic += ms } })
}

const der = (pem: string): Uint8Array => decodePem(pem, 'CERTIFICATE')
const why = async ({ trust }: Trusted, certificate: Uint8Array | undefined): Promise<unknown> => {
  try {
    return (await trust.hostOf(certificate)).name
  } catch (error) {
    assert.instance(error, HostCertificateNeeded, String(error))
    return (error as ZonewrightError).details['reason']
  }
}
const joined = async (vault: Vaulted, host = 'node1') =>
  vault.enrolling.enrol(await asked(await makeToken(vault, host), host, device()))

test('a host is known by its certificate, while that has not ended and its authority stands', async () => {
  const given = await trusted()
  const { certificate, serial } = await joined(given.vault)
  const host = await given.trust.hostOf(der(certificate))
  assert.equal([host.name, host.role, host.serial], ['node1', 'node', serial])
  assert.is(await why(given, undefined), 'none')
  assert.is(await why(given, der(certificate).slice(0, -1)), 'malformed')
  given.vault.clock.ms += limits.joinCertificateSeconds * 1_000 + 1_000
  assert.is(await why(given, der(certificate)), 'expired')
})

test('a certificate of another zone, and one of this zone that is no host’s, open nothing', async () => {
  const given = await trusted()
  const elsewhere = await joined(await joinable())
  assert.ok(['unknown-authority', 'bad-signature'].includes(String(await why(given, der(elsewhere.certificate)))))
  const { pki } = given.vault
  const signed = async (role: string, commonName: string) => (await pki.issuing.sign(
    await csrFor(commonName), await pki.roles.read(role), { commonName, names: [] }, { holder: 'test' },
  )).der
  assert.is(await why(given, await signed('service', 'printer')), 'identity')
  assert.is(await why(given, await signed('vault', 'vault.zone.local')), 'wrong-purpose')
  assert.is(await why(given, await signed('node', 'node7')), 'node7')
  // Known by its certificate; what it may with that is for admission to say
  const phone = await given.trust.hostOf(await signed('client-device', 'phone'))
  assert.equal([phone.name, phone.role], ['phone', 'client-device'])
})

test('a revoked certificate is refused as soon as the next list is asked for', async () => {
  const given = await trusted()
  const { certificate, serial } = await joined(given.vault)
  assert.is(await why(given, der(certificate)), 'node1')
  await given.vault.pki.revocation.revoke(serial)
  given.passMs(limits.enrolmentCrlMs - 1)
  assert.is(await why(given, der(certificate)), 'node1', 'it goes by the list that it has')
  given.passMs(1)
  assert.is(await why(given, der(certificate)), 'revoked')
})

test('while the vault does not answer the last lists hold, until they end', async () => {
  const given = await trusted()
  const { certificate } = await joined(given.vault)
  const other = await joined(given.vault, 'node2')
  assert.is(await why(given, der(certificate)), 'node1')
  given.down = true
  given.passMs(limits.enrolmentCrlMs)
  assert.is(await why(given, der(certificate)), 'node1')
  assert.is(given.warnings.length, 1)
  assert.is(await why(given, der(certificate)), 'node1')
  assert.is(given.warnings.length, 1, 'not each host waits for a vault that is away')
  // Of a host that it was never asked for nobody knows whether this certificate counts
  assert.instance(await given.trust.hostOf(der(other.certificate)).catch((error: unknown) => error), Unavailable)
  given.vault.clock.ms += 2 * DAY
  assert.ok(['expired', 'revocation-unknown'].includes(String(await why(given, der(certificate)))))
})

test('of a host that starts over and over the newest certificates count, though no list says so', async () => {
  const given = await trusted()
  const by = device()
  const { vault } = given
  const first = await vault.enrolling.enrol(await asked(await makeToken(vault), 'node1', by))
  assert.is(await why(given, der(first.certificate)), 'node1')
  const again = async (): Promise<string> => {
    const { token: _, ...request } = await asked(renewalOf(ZONE, 'node1'), 'node1', by)
    return (await vault.enrolling.renew(request)).certificate
  }
  const others: string[] = []
  for (let made = 0; made <= limits.hostCertificates; made++) others.push(await again())
  assert.is(await why(given, der(others.at(-1)!)), 'node1', 'the newest at once')
  assert.is(await why(given, der(others[0]!)), 'node1')
  assert.is(await why(given, der(first.certificate)), 'superseded')
  assert.equal((await vault.pki.revocation.lists()).flatMap(({ list }) => list.revoked), [])
  // One that is in no list is over as well when its host is revoked
  vault.clock.ms += 1
  await vault.hosts.revoke('node1', 'owner')
  given.passMs(limits.enrolmentCrlMs)
  assert.is(await why(given, der(first.certificate)), 'revoked')
  vault.clock.ms += 1
  await joined(vault)
  given.passMs(limits.enrolmentCrlMs)
  assert.is(await why(given, der(first.certificate)), 'superseded', 'the name is another device’s by now')
})

test('the vault is asked for a host once in a while', async () => {
  const given = await trusted()
  const { certificate } = await joined(given.vault)
  for (let count = 0; count < 3; count++) assert.is(await why(given, der(certificate)), 'node1')
  assert.is(given.asked, 1)
  given.passMs(limits.enrolmentCrlMs)
  assert.is(await why(given, der(certificate)), 'node1')
  assert.is(given.asked, 2)
})

test('another set of roots is told, once', async () => {
  const given = await trusted()
  const { authorities } = await given.vault.pki.authorities.fresh()
  await given.vault.pki.rotation.step('prepare', authorities.find(({ kind }) => kind === 'root')!.id)
  await given.trust.refresh()
  await given.trust.refresh()
  assert.equal(given.roots.map(({ length }) => length), [2])
  assert.equal(given.trust.roots, given.roots[0])
})

test('a range holds the addresses of its prefix, of its own family, however a socket writes them', () => {
  const rows: readonly (readonly [cidr: string, address: string, within: boolean])[] = [
    ['10.0.0.0/24', '10.0.0.255', true], ['10.0.0.0/24', '10.0.1.0', false], ['10.0.0.0/24', '::ffff:10.0.0.7', true],
    ['10.0.0.128/25', '10.0.0.127', false], ['10.0.0.128/25', '10.0.0.128', true], ['10.0.0.7', '10.0.0.7', true],
    ['10.0.0.7', '10.0.0.6', false], ['0.0.0.0/0', '203.0.113.9', true], ['0.0.0.0/0', '2001:db8::1', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true], ['2001:db8::/32', '2001:db9::1', false], ['::/0', '10.0.0.1', false],
    ['fe80::/10', 'fe80::1%eth0', true], ['10.0.0.0/8', '', false], ['10.0.0.0/8', 'localhost', false],
  ]
  for (const [cidr, address, within] of rows) {
    assert.is(isWithin(parseCidr(cidr), address), within, `${cidr} ${address}`)
  }
  const ranges = ['', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '10.0.0.1/8', 'x/8']
  for (const wrong of ranges) {
    assert.throws(() => parseCidr(wrong), undefined, wrong)
  }
})

test('one address may ask as often as the limit in each window, and many addresses do not fill the memory', () => {
  let ms = 0
  const sources = new Sources({ ...systemClock, monotonic: () => ms })
  for (let count = 0; count < limits.enrolmentPerSource; count++) assert.is(sources.waitMs('10.0.0.1'), 0)
  ms += 1_000
  assert.is(sources.waitMs('10.0.0.1'), limits.enrolmentWindowMs - 1_000)
  assert.is(sources.waitMs('10.0.0.2'), 0, 'others may')
  ms += limits.enrolmentWindowMs - 1_000
  assert.is(sources.waitMs('10.0.0.1'), 0)
  for (let count = 1; count < limits.enrolmentPerSource; count++) sources.waitMs('2001:db8:1:2::1')
  assert.is(sources.waitMs('2001:db8:1:2:3:4:5:6'), 0)
  assert.ok(sources.waitMs('2001:db8:1:2::9') > 0, 'a /64 is one source')
  for (let count = 0; count < limits.enrolmentSources; count++) sources.waitMs(`10.1.${count >> 8}.${count & 255}`)
  assert.is(sources.waitMs('2001:db8:1:2::9'), 0, 'the oldest was forgotten')
})

test('who owns a network of IPv6 has one address, however its addresses are written', () => {
  const sources = new Sources({ ...systemClock, monotonic: () => 0 })
  const many = (addressOf: (index: number) => string): number => {
    let refused = 0
    for (let index = 0; index <= limits.enrolmentPerSource; index++) if (sources.waitMs(addressOf(index)) > 0) refused++
    return refused
  }
  assert.is(many((index) => `2001:db8::${index.toString(16)}`), 1)
  assert.is(many((index) => `fe80::${index.toString(16)}%eth0`), 1)
  assert.is(many((index) => (index % 2 === 0 ? '::ffff:10.0.0.1' : '10.0.0.1')), 1)
  assert.is(sources.waitMs('2001:db8:0:1::1'), 0, 'another network')
})

test.run()
