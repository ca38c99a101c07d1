/** Guards of links that others stand behind, each alone: which one refused is looked at, not only that one did. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Denied, HandshakeFailed, Overloaded, type ZonewrightError } from '../../runtime/errors.ts'
import { KnownDevices } from '../../runtime/known-devices.ts'
import { limits } from '../../runtime/limits.ts'
import { signLinkCertificate, verifyLinkCertificate } from '../../runtime/link/certificate.ts'
import { establish } from '../../runtime/link/handshake.ts'
import { openInbox } from '../../runtime/link/inbox.ts'
import { serveLink } from '../../runtime/link/serve.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { alice, counter, forever, rawCaller } from './counter-fixture.ts'
import {
  channelEnds, device, failureOf, identity, keys, linkPair, listen, otherDevice, quiet, rules, side, testClock, ZONE,
} from './link-fixture.ts'

const guards = suite('guards of links')

const reasonOf = async (promise: Promise<unknown>): Promise<unknown> => (await failureOf(promise)).details['reason']

guards('a peer that comes with our own key is refused', async () => {
  const clock = testClock()
  const ends = channelEnds()
  const bob = identity('bob', clock)
  const certificate = signLinkCertificate(device, {
    zone: ZONE, host: 'host-1', actor: 'alice', runtimeType: 'service', key: bob.key.public.jwk, incarnation: 1,
    exp: Math.floor(clock.now() / 1000) + 600,
  })
  const twin = { actor: 'alice', incarnation: 1, key: bob.key, certificate }
  const initiator = establish(ends.initiator, side('initiator', twin, { actor: 'bob' }, clock))
  initiator.catch(() => {})
  const responder = establish(ends.responder, side('responder', bob, { actor: 'alice' }, clock))
  assert.is(await reasonOf(responder), 'peer has our own key')
})

guards('a peer of another zone is refused, whatever was said of its certificate', async () => {
  const clock = testClock()
  const ends = channelEnds()
  const [one, other] = [identity('alice', clock), identity('bob', clock)]
  establish(ends.initiator, side('initiator', one, { actor: 'bob' }, clock)).catch(() => {})
  const responder = establish(ends.responder, side('responder', other, { actor: 'alice' }, clock, {
    verifyCertificate: (text) => ({ ...verifyLinkCertificate(text, rules(clock)), zone: 'zone.other' }),
  }))
  assert.is(await reasonOf(responder), 'peer of another zone')
})

guards('what one side signs is no signature of the other', async () => {
  const clock = testClock()
  const ends = channelEnds()
  const [one, other] = [identity('alice', clock), identity('bob', clock)]
  const turned: SigningKey = {
    ...one.key,
    sign: (message) => one.key.sign(new TextEncoder().encode(
      new TextDecoder().decode(message).replace('"initiator"', '"responder"'))),
  }
  establish(ends.initiator, side('initiator', { ...one, key: turned }, { actor: 'bob' }, clock)).catch(() => {})
  const responder = establish(ends.responder, side('responder', other, { actor: 'alice' }, clock))
  assert.is(await reasonOf(responder), 'signature')
})

guards('nobody waits longer for a peer that says nothing than a handshake may take', async () => {
  const clock = testClock()
  const ends = channelEnds({ toResponder: () => undefined })
  let why: unknown
  establish(ends.initiator, side('initiator', identity('alice', clock), { actor: 'bob' }, clock))
    .catch((error: unknown) => { why = error })
  await clock.advance(limits.handshakeMs)
  assert.instance(why, HandshakeFailed)
})

guards('frames that come before a handshake reads them are few', async () => {
  const ends = channelEnds()
  const inbox = openInbox(ends.responder)
  for (let count = 0; count <= limits.unreadFrames; count++) ends.inject('{}')
  await quiet()
  assert.is(await reasonOf(inbox.next()), 'too many frames')
})

guards('a node may not certify a kernel actor, nor a kernel runtime type; an OOD may', () => {
  const clock = testClock()
  const known = new KnownDevices({
    zone: ZONE, kernelActors: ['verify-hub'], kernelRuntimeTypes: ['kernel-service'],
    devices: [
      { host: 'ood', role: 'ood', jwk: device.public.jwk }, { host: 'node', role: 'node', jwk: otherDevice.public.jwk },
    ],
  }, { keys, clock })
  const verify = (host: 'ood' | 'node', actor: string, runtimeType: string): unknown => {
    const signer = host === 'ood' ? device : otherDevice
    try {
      return known.verify(identity(actor, clock, { host, runtimeType, device: signer }).certificate).actor
    } catch (error) {
      return (error as ZonewrightError).details['reason']
    }
  }
  assert.is(verify('ood', 'verify-hub', 'kernel-service'), 'verify-hub')
  assert.is(verify('node', 'photos', 'service'), 'photos')
  assert.is(verify('node', 'verify-hub', 'service'), 'device may not speak for this actor')
  assert.is(verify('node', 'photos', 'kernel-service'), 'device may not speak for this actor')
})

guards('an actor closes the link of a caller with other methods', async () => {
  const target = await counter()
  const fresh = await linkPair({ clock: target.clock })
  serveLink(fresh.responder, target.service)
  const { closed } = listen(fresh.initiator)
  fresh.initiator.send([0, 'counter', 'other methods'])
  await quiet()
  assert.is(closed[0]?.details['reason'], 'protocol differs')
})

guards('a call that asks for a stronger suite than the link has is not even sent', async () => {
  let frames = 0
  const ends = channelEnds({ toResponder: (frame, deliver) => (frames++, deliver(frame)) })
  const { caller } = await counter({}, { ends })
  await caller.client.read({})
  const before = frames
  assert.instance(await failureOf(caller.client.secret({})), Denied)
  assert.is(frames, before)
})

guards('a caller that floods is held to the calls of one link, however much the actor could queue', async () => {
  const raw = await rawCaller(await counter({ read: forever }, { capacity: 10 * limits.inFlight }))
  for (let id = 1; id <= limits.inFlight + 1; id++) raw.send([1, id, 1, 2e13, 0, {}])
  await quiet(2_000)
  const [, id, code, text] = await raw.next()
  assert.equal([id, code], [limits.inFlight + 1, Overloaded.name])
  assert.match(String(text), /of one link/)
})

guards('a clock that was set back makes no verdict hold longer', async () => {
  const clock = testClock()
  let backMs = 0
  let asked = 0
  const wall = { ...clock, now: () => clock.now() - backMs, timers: 0 }
  const lifecycle = { authenticate: () => (asked++, { ...alice, expires: wall.now() + 1_000 }) }
  const { caller } = await counter({}, { lifecycle, clock: wall })
  await caller.client.read({}, { token: 't' })
  await caller.client.read({}, { token: 't' })
  assert.is(asked, 1)
  backMs = 10
  await caller.client.read({}, { token: 't' })
  assert.is(asked, 2)
})

guards.run()
