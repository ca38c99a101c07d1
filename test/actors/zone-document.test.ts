import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceDocumentType } from '../../actors/records.ts'
import { verifyZoneDocument, zoneDocumentType } from '../../actors/zone-document.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { signCompact } from '../../runtime/trust/jws.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { crypto } from './system-config-zone.ts'

const owner = crypto.generate(systemRandom)
const other = crypto.generate(systemRandom)
const content = { zone: 'z1', owner: 'alice', root: owner.public.jwk, host: 'ood1', epoch: 0, iat: 1 }
const reasonOf = (text: string): string => {
  const verdict = verifyZoneDocument(crypto, text)
  return verdict.accepted ? 'accepted' : verdict.denial.reason
}

test('a zone document is what the owner key that it names has signed', () => {
  const verdict = verifyZoneDocument(crypto, signDocument(owner, zoneDocumentType, content))
  assert.equal(verdict, { accepted: true, kid: owner.public.kid, payload: content })
})

test('no other signature, kind or content makes one', () => {
  const good = signDocument(owner, zoneDocumentType, content)
  const [head, , signature] = good.split('.')
  const [, otherBody] = signDocument(owner, zoneDocumentType, { ...content, host: 'ood2' }).split('.')
  assert.is(reasonOf(signDocument(other, zoneDocumentType, content)), 'document/unknown-key')
  assert.is(reasonOf([head, otherBody, signature].join('.')), 'document/signature')
  assert.is(reasonOf(signDocument(owner, deviceDocumentType, content)), 'document/typ')
  assert.is(reasonOf('nothing'), 'document/malformed')
  for (const changes of [
    { root: 'key' }, { root: null }, { root: { ...owner.public.jwk, x: 'AA' } }, { root: undefined },
    { host: '__proto__' }, { host: 'constructor' }, { epoch: -1 }, { more: 1 },
  ]) {
    const text = signCompact(owner, zoneDocumentType, { ...content, ...changes })
    assert.is.not(reasonOf(text), 'accepted', JSON.stringify(changes))
  }
})

test.run()
