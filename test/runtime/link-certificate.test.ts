import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { HandshakeFailed, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { verifyLinkCertificate } from '../../runtime/link/certificate.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import {
  device, failureOf, identity, otherDevice, rules, testClock, ZONE, type CertificateChange,
} from './link-fixture.ts'

const certificate = suite('link certificate')

certificate('names the peer and its key', () => {
  const clock = testClock()
  const bob = identity('bob', clock, { incarnation: 7 })
  const peer = verifyLinkCertificate(bob.certificate, rules(clock))
  assert.equal([peer.zone, peer.host, peer.actor, peer.runtimeType, peer.incarnation, peer.kid],
    [ZONE, 'host-1', 'bob', 'service', 7, bob.key.public.kid])
})

type MakeText = (clock: Clock) => string

const bobs = (change: (clock: Clock) => CertificateChange): MakeText => (clock) =>
  identity('bob', clock, change(clock)).certificate

const refusals: readonly (readonly [what: string, reason: string, make: MakeText])[] = [
  ['of a device that nobody knows', 'unknown device', bobs(() => ({ host: 'host-9' }))],
  ['signed by another device', 'certificate of another device key', bobs(() => ({ device: otherDevice }))],
  ['of another zone', 'certificate of another zone', bobs(() => ({ zone: 'other' }))],
  ['that has expired', 'certificate expired', bobs((clock) => ({ exp: Math.floor(clock.now() / 1000) }))],
  ['for a kernel name from a plain node', 'device may not speak for this actor',
    (clock) => identity('verify-hub', clock, { host: 'host-2', device: otherDevice }).certificate],
  ['with an unknown field', 'certificate malformed', bobs(() => ({ extra: 1 }) as CertificateChange)],
  ['with a negative incarnation', 'certificate malformed', bobs(() => ({ incarnation: -1 }))],
  ['with trailing white space', 'certificate encoding', (clock) => `${identity('bob', clock).certificate}\n`],
  ['respelt in its signature', 'certificate encoding', (clock) => respelt(identity('bob', clock).certificate)],
  ['that is too long', 'certificate too-long', () => 'a'.repeat(limits.certificate + 1)],
]

const refusalOf = (text: string, clock: Clock): Promise<ZonewrightError> =>
  failureOf(Promise.resolve().then(() => verifyLinkCertificate(text, rules(clock))))
for (const [what, reason, make] of refusals) {
  certificate(`is refused: one ${what}`, async () => {
    const clock = testClock()
    const error = await refusalOf(make(clock), clock)
    assert.instance(error, HandshakeFailed)
    assert.is(error.details['reason'], reason)
  })
}

certificate('is refused when any byte of it changes', async () => {
  const clock = testClock()
  const text = identity('bob', clock).certificate
  for (let index = 0; index < text.length; index += 5) {
    const changed = text.slice(0, index) + (text[index] === 'A' ? 'B' : 'A') + text.slice(index + 1)
    assert.instance(await refusalOf(changed, clock), HandshakeFailed)
  }
})

certificate('is not a token: another typ is refused', async () => {
  const clock = testClock()
  const text = identity('bob', clock).certificate
  const [, payload] = text.split('.')
  const utf8 = (value: string): Uint8Array => new TextEncoder().encode(value)
  const header = toBase64url(utf8(JSON.stringify({ alg: 'EdDSA', typ: 'zw-session+jwt', kid: device.public.kid })))
  const signature = toBase64url(device.sign(utf8(`${header}.${payload}`)))
  const error = await refusalOf(`${header}.${payload}.${signature}`, clock)
  assert.is(error.details['reason'], 'not a link certificate')
})

/** The last character of 64 bytes in base64url has four bits that encode nothing. */
function respelt(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)!) ^ 1]!
}

certificate.run()
