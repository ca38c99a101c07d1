import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Verdicts } from '../../actors/enforcement/verdicts.ts'
import { createEnforcers } from '../../actors/system-config/enforcers.ts'
import { openRevocations } from '../../actors/system-config/revocations.ts'
import { Overloaded, WatchOverrun } from '../../runtime/errors.ts'
import { PENDING } from '../../runtime/feed.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import type { Acceptance } from '../../runtime/trust/verify.ts'
import { hubPeer, isSettled, notes } from './enforcer-zone.ts'
import { failure, testZone } from './system-config-zone.ts'

const enforcersOf = (zone: ReturnType<typeof testZone>) =>
  createEnforcers({
    clock: zone.clock, random: systemRandom, revoked: () => [], leasesBefore: false, mayGrant: () => true,
    changedAtMs: () => zone.clock.monotonic(),
  })

test('one more lease than may be is refused, and one that is over makes room', async () => {
  const zone = testZone()
  const enforcers = enforcersOf(zone)
  for (let count = 0; count < limits.enforcerLeases; count++) enforcers.open(`link-${count}`, '')
  await failure(Overloaded, () => enforcers.open('one more', ''))
  await zone.elapse(limits.enforcerLeaseMs * 1.05)
  enforcers.open('one more', '')
})

test('an enforcer that does not read what has changed is told so, and others go on', async () => {
  const enforcers = enforcersOf(testZone())
  const [deaf, other] = [enforcers.open('deaf', ''), enforcers.open('other', '')]
  for (let count = 0; count < limits.enforcerBacklog; count++) {
    assert.is.not(other.poll(), PENDING)
    enforcers.publishRevoked([{ sid: `s-${count}`, until: count }])
  }
  assert.is.not(other.poll(), PENDING)
  assert.is(other.poll(), PENDING)
  await failure(WatchOverrun, () => deaf.poll())
})

test('one more revoked session than is remembered is refused, and those that are over make room', async () => {
  const zone = testZone()
  const told: string[] = []
  const { store, clock } = zone
  const until = Math.floor(zone.now / 1000) + 900
  const many = Array.from({ length: limits.revocations }, (_, count) => ({ sid: `s-${count}`, until }))
  const revocations = await openRevocations({ store, clock }, (sessions) => {
    told.push(...sessions.map(({ sid }) => sid))
  })
  for (let from = 0; from < many.length; from += 500) await revocations.add(many.slice(from, from + 500))
  await failure(Overloaded, () => revocations.add([{ sid: 'one more', until }]))
  assert.is(revocations.has('one more'), false)
  await revocations.add(many.slice(0, 10))
  assert.is(told.length, limits.revocations, 'each is told once')
  zone.now += (900 + limits.revokedSeconds + 1) * 1_000
  await revocations.add([{ sid: 'one more', until: until + 10_000 }])
  assert.is(revocations.has('one more'), true)
  assert.is(revocations.has('s-0'), false)
})

test('as many sessions as are told of at once make room for themselves, when as many are over', async () => {
  const { store, clock, ...zone } = { ...testZone() }
  let now = zone.now
  const at = { ...clock, now: () => now }
  const told = (name: string, until: number) =>
    Array.from({ length: limits.revocationsAtOnce }, (_, count) => ({ sid: `${name}-${count}`, until }))
  const revocations = await openRevocations({ store, clock: at }, () => {})
  for (let calls = 1; calls * limits.revocationsAtOnce <= limits.revocations; calls++) {
    await revocations.add(told(String(calls), Math.floor(now / 1000)))
  }
  now += (limits.revokedSeconds + 1) * 1_000
  for (let calls = 1; calls <= 10; calls++) await revocations.add(told(`later-${calls}`, Math.floor(now / 1000)))
  assert.ok(revocations.all().length <= limits.revocations)
})

test('what another OOD has revoked is forgotten when that one forgets it, and not before', async () => {
  const zone = testZone()
  const { store, clock } = zone
  const stopping = new AbortController()
  const [writer, other] = await Promise.all([openRevocations({ store, clock }, () => {}),
    openRevocations({ store, clock }, () => {})])
  const following = other.follow(stopping.signal)
  const until = Math.floor(zone.now / 1000) + 900
  const sids = (): string => other.all().map(({ sid }) => sid).join()
  await writer.add([{ sid: 'a', until }, { sid: 'b', until }])
  await zone.elapse(0)
  assert.is(sids(), 'a,b')
  await writer.add([{ sid: 'b', until: until + 7_200 }])
  zone.now += (900 + limits.revokedSeconds + 1) * 1_000
  await zone.elapse(0)
  assert.is(sids(), 'a,b')
  await writer.add([{ sid: 'c', until: until + 7_200 }])
  await zone.elapse(0)
  assert.is(sids(), 'b,c', 'one that was told again lives on')
  assert.is(writer.all().map(({ sid }) => sid).join(), 'b,c')
  stopping.abort()
  await following
  await writer.add([{ sid: 'd', until: until + 7_200 }])
  zone.now += 7_200_000
  await writer.add([{ sid: 'e', until: until + 20_000 }])
  await other.reload()
  assert.is(sids(), 'e', 'nor by one that heard nothing meanwhile')
})

test('an enforcer can be told of as many revoked sessions as there may be, beside the longest policy', () => {
  const sid = toBase64url(systemRandom.bytes(16))
  const revoked = Array.from({ length: limits.revocations }, () => ({ sid, until: 1_795_000_000 }))
  const policy = '#'.repeat(79).concat('\n').repeat(limits.valueBytes / 80)
  const rbac = { model: 'm'.repeat(limits.modelCharacters), policy }
  const item = { lease: sid, sequence: 1_000_000, whole: true, boot: 'b'.repeat(2_000), rbac, revoked }
  assert.ok(JSON.stringify(item).length <= limits.message)
})

test('more tokens than are remembered are all judged alike', () => {
  const verdicts = new Verdicts()
  const verdict = (sid: string) => ({
    claims: { exp: 900, iat: 0, aud: ['notes'], sid }, rule: { once: false },
  }) as unknown as Acceptance
  for (let count = 0; count <= limits.tokenVerdicts; count++) {
    verdicts.keep(`token-${count}`, 1, verdict(`s-${count}`))
    assert.ok(verdicts.get(`token-${count}`, 1, 'notes', 10))
  }
  assert.is(verdicts.get('token-0', 1, 'notes', 10), undefined, 'forgotten, and to be checked again')
  const newest = `token-${limits.tokenVerdicts}`
  const asked = (generation = 1, audience = 'notes', now = 10): boolean =>
    verdicts.get(newest, generation, audience, now) !== undefined
  assert.equal([asked(), asked(2), asked(1, 'other'), asked(1, 'notes', 900)], [true, false, false, false])
  assert.is(asked(1, 'notes', -61), false, 'a clock that was set back')
})

test('a change of the epoch waits for nobody, since whoever held a lease has ended', async () => {
  const { zone, running, stop } = await notes()
  running.stop()
  const again = await zone.start({ ZONEWRIGHT_BOOTED: '1', ZONEWRIGHT_ALONE: '1' })
  const until = Math.floor(zone.now / 1000) + 900
  const revoking = again.as(zone.tokens.verifyHub(), hubPeer).revoke({ sessions: [{ sid: 's-1', until }] })
  assert.is(await isSettled(revoking), true)
  stop()
})

test('a write of the policy waits for an enforcer that is cut off, until it goes by nothing', async () => {
  const { writePolicy, cut, pass, stop } = await notes()
  cut()
  const writing = writePolicy('g, notes, app')
  await pass(limits.enforcerLeaseMs - 250)
  assert.is(await isSettled(writing), false)
  await pass(750)
  assert.is(await isSettled(writing), true)
  stop()
})

test.run()
