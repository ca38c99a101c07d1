/** A host believes nothing of what it is told that the owner key does not stand for. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readStanding, type StandingFor } from '../../boot/join/standing.ts'
import { zoneDocumentType } from '../../actors/zone-document.ts'
import type { ZonewrightError } from '../../runtime/errors.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { documents, ZONE } from '../actors/registration-fixture.ts'
import { crypto, testZone } from '../actors/system-config-zone.ts'

const zone = testZone()
const [device, enrolment, other] = [0, 1, 2].map(() => crypto.generate(systemRandom)) as [never, never, never]
const key = (device as { public: { jwk: StandingFor['key'] } }).public.jwk
const made = documents(zone, enrolment)
const wanted: StandingFor = { zone: ZONE, host: 'node1', role: 'node', key }
const told = {
  zoneDocument: zone.env['BUCKYOS_ZONE_DOC']!, document: made.enrolled({ key }),
  oods: [made.ood], certificates: [made.standing.certificate],
}
const outcome = (changes: Partial<typeof told>, asked: Partial<StandingFor> = {}): string => {
  try {
    return readStanding(crypto, { ...told, ...changes }, { ...wanted, ...asked }).zone.zone
  } catch (error) {
    return (error as ZonewrightError).code
  }
}

test('what a host is told is all of one zone, one owner and itself', () => {
  assert.is(outcome({}), ZONE)
  assert.is(outcome({}, { owner: zone.owner.public.jwk }), ZONE)
  assert.is(outcome({}, { owner: key }), 'NotAZone', 'the owner key was another')
  assert.is(outcome({}, { zone: 'z2' }), 'NotAZone')
  assert.is(outcome({}, { host: 'node2' }), 'NotAZone')
  assert.is(outcome({}, { key: zone.owner.public.jwk }), 'NotAZone', 'of another device')
  const theirs = signDocument(other, zoneDocumentType, {
    zone: ZONE, owner: 'alice', root: (other as { public: { jwk: object } }).public.jwk, host: 'ood1', epoch: 0, iat: 1,
  })
  const foreign = documents({ ...zone, owner: other }, enrolment).device(other, { name: 'ood1', role: 'ood' })
  const node = made.device(zone.owner, { name: 'node2' })
  for (const wrong of [
    { zoneDocument: theirs }, { zoneDocument: 'x' }, { document: 'x' }, { document: made.ood }, { oods: [] },
    { document: made.enrolled({ name: 'node2', key }) },
    { oods: [node] }, { oods: [made.ood, foreign] }, { oods: [made.ood, 'x'] },
    { certificates: [made.certificate(other)] }, { certificates: [made.standing.certificate, 'x'] },
  ]) assert.is(outcome(wrong), 'NotAZone', JSON.stringify(wrong).slice(0, 80))
})

test('the document of a host is a node’s', () => {
  const ood = made.device(zone.owner, { role: 'ood', key })
  assert.is(outcome({ document: ood }), 'NotAZone')
  assert.is(outcome({ document: made.device(zone.owner, { key }) }), ZONE, 'the owner may have signed it')
})

test.run()
