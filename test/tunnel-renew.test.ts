/** A host's next certificate takes the place of its last one while the tunnel is open, and nobody else's does. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { DeadlineExceeded, Denied, Unavailable, ZonewrightError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { systemClock } from '../runtime/platform/clock.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import type { Certificate } from '../runtime/x509/certificate.ts'
import { memoryChannelPair } from '../transport/memory.ts'
import { RenewalRefused, type Chain, type NextCertificate } from '../transport/tunnel/protocol.ts'
import { authority, day, holder, keys, now, type Holder } from './runtime/x509-fixture.ts'
import { quiet, testClock } from './runtime/link-fixture.ts'
import { link, tunnelPair, type Change } from './tunnel-ends.ts'
import { failure, greeting, NONCE, opened, script, soon, violated, type OpenScript } from './tunnel-script.ts'

const root = await authority('root')
const hostCertificate = (
  host: string, options: { notAfter?: number; names?: readonly string[] } = {},
): Promise<Holder> => holder(host, root, {
  notAfter: options.notAfter ?? now + 3_000 * day,
  extensions: {
    keyUsage: ['digitalSignature'], extendedKeyUsage: ['serverAuth', 'clientAuth'],
    names: (options.names ?? [`spiffe://zone.test/node/${host}`]).map((value) => ({ type: 'uri', value })),
  },
})
const [here, peer, next, other] = await Promise.all([
  hostCertificate('here'), hostCertificate('hostile'), hostCertificate('hostile'), hostCertificate('other'),
])
const derOf = ({ certificate }: { certificate: Certificate }): Uint8Array => certificate.raw
const certificates = (own: Holder, of: Holder) => ({ own: derOf(own), peer: derOf(of), keys })
const renewalOf = ({ key, certificate }: Holder): NextCertificate => ({
  chain: [certificate.raw], sign: (statement) => key.sign(statement),
})

/** Of a tunnel whose other end is the test, by whatever it says. */
async function listening(change: Change = {}): Promise<OpenScript & { nonce: string }> {
  const one = script('listener', { certificates: certificates(here, peer), ...change })
  one.say({ t: 'hello', v: 1, greeting })
  await quiet()
  const { greeting: own } = one.said[0] as unknown as { greeting: { nonce: string } }
  one.say({ t: 'ready' })
  const tunnel = await soon(one.opening)
  one.said.length = 0
  return { ...one, tunnel, nonce: own.nonce }
}

function renewal(one: { nonce: string }, holder: Holder, change: {
  n?: number; role?: string; nonces?: string[]; signer?: Holder; leaf?: Holder
} = {}) {
  const n = change.n ?? 1
  const hash = (der: Uint8Array): string => toBase64url(keys.hash(der))
  const statement = new TextEncoder().encode(JSON.stringify([
    'zonewright tunnel renewal', 1, change.role ?? 'dialer', n, ...change.nonces ?? [NONCE, one.nonce],
    hash(derOf(peer)), hash(derOf(here)), hash(derOf(change.leaf ?? holder)),
  ]))
  const signature = toBase64url((change.signer ?? holder).key.sign(statement))
  return { t: 'renew', n, chain: [toBase64url(derOf(holder))], signature }
}

test('a renewal that its host signed for this tunnel is judged, and links stay up', async () => {
  const seen: Chain[] = []
  const pair = await tunnelPair(memoryChannelPair(systemClock), { certificates: certificates(peer, here) }, {
    certificates: certificates(here, peer), onRenew: async (chain) => void seen.push(chain),
  })
  const { channel } = await pair.near.open(link('counter'))
  await pair.near.renew(renewalOf(next))
  await pair.near.renew(renewalOf(peer))
  assert.equal(seen.map(([leaf]) => [...leaf!]), [[...derOf(next)], [...derOf(peer)]])
  await pair.far.renew(renewalOf(here))
  const frames: unknown[] = []
  pair.atFar.channels.get('counter')!.receive((frame) => void frames.push(frame), () => {})
  channel.send('still here')
  for (let waits = 0; frames.length === 0 && waits < 100; waits++) await new Promise((settle) => setTimeout(settle, 20))
  assert.equal(frames, ['still here'])
  pair.near.close('done')
})

test('what the other end does not take is told, and the last certificate counts on', async () => {
  const pair = await tunnelPair(memoryChannelPair(systemClock), { certificates: certificates(peer, here) }, {
    certificates: certificates(here, peer), onRenew: async () => { throw new Denied('Revoked') },
  })
  assert.instance(await failure(pair.near.renew(renewalOf(next))), Denied)
  const [ended, chain] = [await hostCertificate('hostile', { notAfter: now - day / 2 }), derOf(next)]
  assert.instance(await failure(pair.near.renew(renewalOf(ended))), RenewalRefused)
  const long = Array.from({ length: limits.tunnelChain + 1 }, () => chain)
  assert.instance(await failure(pair.near.renew({ ...renewalOf(next), chain: long })), RenewalRefused)
  const huge = [new Uint8Array(limits.tunnelCertificate)]
  assert.instance(await failure(pair.near.renew({ ...renewalOf(next), chain: huge })), RenewalRefused)
  assert.is(pair.near.streams, 0)
  await pair.near.open(link('on'))
  pair.near.close('done')
})

test('a renewal of another host closes the tunnel', async () => {
  for (const holder of [other, await hostCertificate('hostile', { names: ['spiffe://zone.test/ood/hostile'] })]) {
    const one = await listening({ onRenew: async () => assert.unreachable() })
    one.say(renewal(one, holder))
    await violated(one, /a renewal of another host/)
  }
  const nobody = await holder('nobody', root, { extensions: { keyUsage: ['digitalSignature'] } })
  const one = await listening({ certificates: certificates(here, nobody) })
  one.say(renewal(one, nobody))
  await violated(one, /not signed/)
  const signed = await listening({ certificates: certificates(here, peer) })
  signed.say(renewal(signed, nobody))
  await violated(signed, /a renewal of another host/)
})

test('a renewal that its own key has not signed, for this tunnel, end and turn, closes the tunnel', async () => {
  for (const change of [
    { signer: other }, { signer: peer }, { role: 'listener' }, { nonces: [NONCE, NONCE] }, { leaf: peer },
  ]) {
    const one = await listening({ onRenew: async () => assert.unreachable() })
    one.say(renewal(one, next, change))
    await violated(one, /a renewal that its key has not signed/)
  }
  const one = await listening()
  one.say({ ...renewal(one, next), signature: 'AAAA' })
  await violated(one, /a renewal that/)
})

test('a renewal is good once', async () => {
  const one = await listening()
  const first = renewal(one, next)
  one.say(first)
  await quiet()
  assert.equal(one.said, [{ t: 'renewed', n: 1 }])
  one.say(first)
  await violated(one, /a renewal out of turn/)
  const again = await listening()
  again.say(renewal(again, next))
  await quiet()
  again.say({ ...renewal(again, next), n: 2 })
  await violated(again, /a renewal that its key has not signed/)
})

test('renewals out of turn, or while one is judged, or that cannot be read, close the tunnel', async () => {
  const skipped = await listening()
  skipped.say(renewal(skipped, next, { n: 2 }))
  await violated(skipped, /a renewal out of turn/)
  const judging = await listening({ onRenew: () => new Promise(() => {}) })
  judging.say(renewal(judging, next))
  judging.say(renewal(judging, next, { n: 2 }))
  await violated(judging, /while another is judged/)
  const zeros = toBase64url(new Uint8Array(900))
  for (const change of [{ chain: ['!'] }, { chain: ['AAAA'] }, { signature: '=' }, { chain: [zeros] }]) {
    const one = await listening()
    one.say({ ...renewal(one, next), ...change })
    await violated(one, /a renewal that cannot be read/)
  }
  const long = await listening()
  long.say({ ...renewal(long, next), chain: Array.from({ length: limits.tunnelChain + 1 }, () => 'AAAA') })
  await violated(long, /no such form/)
  const none = await opened()
  none.say(renewal({ nonce: NONCE }, next))
  await violated(none, /there are no certificates/)
})

test('answers to no renewal close the tunnel; no answer is given up in time', async () => {
  const error = { code: 'Denied', message: '' }
  for (const message of [{ t: 'renewed', n: 1 }, { t: 'renewal-refused', n: 1, error }]) {
    const one = await listening()
    one.say(message)
    await violated(one, /an answer to no renewal/)
    const without = await opened()
    without.say(message)
    await violated(without, /an answer to no renewal/)
  }
  const one = await listening()
  const renewing = failure(one.tunnel.renew(renewalOf(here)))
  assert.instance(await failure(one.tunnel.renew(renewalOf(here))), RenewalRefused)
  await one.clock.advance(limits.tunnelRenewMs)
  assert.instance(await renewing, DeadlineExceeded)
  one.say({ t: 'renewed', n: 1 })
  await quiet()
  assert.equal(one.closes, [])
  const last = failure(one.tunnel.renew(renewalOf(here)))
  one.end('cut')
  assert.instance(await last, Unavailable)
  assert.instance(await failure(one.tunnel.renew(renewalOf(here))), Unavailable)
  const none = await opened()
  assert.instance(await failure(none.tunnel.renew(renewalOf(here))), RenewalRefused)
})

test('a certificate that has ended, without a next one, ends the tunnel', async () => {
  const clock = testClock()
  const start = clock.now()
  const short = await hostCertificate('hostile', { notAfter: Math.floor(start / 1_000) * 1_000 + 60_000 })
  const longer = await hostCertificate('hostile', { notAfter: Math.floor(start / 1_000) * 1_000 + 120_000 })
  const of = certificates(here, short)
  const one = await listening({ clock, certificates: of })
  const live = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms && one.closes.length === 0; passed += 1_000) {
      one.say({ t: 'ping', n: 1 })
      await clock.advance(1_000)
    }
  }
  await live(59_000)
  assert.equal(one.closes, [])
  const statement = new TextEncoder().encode(JSON.stringify([
    'zonewright tunnel renewal', 1, 'dialer', 1, NONCE, one.nonce,
    ...[derOf(short), derOf(here), derOf(longer)].map((der) => toBase64url(keys.hash(der))),
  ]))
  one.say({
    t: 'renew', n: 1, chain: [toBase64url(derOf(longer))], signature: toBase64url(longer.key.sign(statement)),
  })
  await live(30_000)
  assert.equal(one.closes, [])
  await live(60_000)
  assert.match(await soon(one.tunnel.closed), /certificate of the other end has ended/)
  const end = one.said.at(-1) as unknown as { error: ZonewrightError }
  assert.equal([end.error.code, clock.timers], ['Denied', 0])
})

test.run()
