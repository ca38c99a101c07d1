import { suite, type Test } from 'uvu'
import * as assert from 'uvu/assert'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import type { DenialReason } from '../../runtime/trust/denial.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { tokenTypes } from '../../runtime/trust/token.ts'
import { claims, encode, good, goodHeader, hub, now, reasonOf, signParts, signed, stranger } from './trust-fixture.ts'

/** Runs a table of cases under one name per case. */
function table(test: Test, cases: readonly (readonly [string, string, DenialReason | 'accepted'])[]): void {
  for (const [name, token, reason] of cases) {
    test(name, async () => assert.is(await reasonOf(token), reason))
  }
}


const attacks = suite('RFC 8725 attacks')
const [goodFirst, goodSecond, goodThird] = good.split('.') as [string, string, string]
const headerText = JSON.stringify(goodHeader)
const claimsText = JSON.stringify(claims)
const without = (name: 'kid' | 'typ'): string => JSON.stringify({ ...goodHeader, [name]: undefined })
const jsonForm = JSON.stringify({ protected: goodFirst, payload: goodSecond, signature: goodThird })
const withHeader = (header: object): string => `${encode(JSON.stringify(header))}.${goodSecond}.${goodThird}`
const publicKeyText = JSON.stringify(hub.public.jwk)

table(attacks, [
  ['a good token is accepted', good, 'accepted'],
  ['§2.1 alg none with no signature', `${encode('{"alg":"none"}')}.${goodSecond}.`, 'token/alg'],
  ['§2.1 alg nOnE', withHeader({ ...goodHeader, alg: 'nOnE' }), 'token/alg'],
  ['§2.1 the signature is cut off', `${goodFirst}.${goodSecond}.`, 'token/malformed'],
  ['§2.1 HS256 with the public key as secret', withHeader({ ...goodHeader, alg: 'HS256' }), 'token/alg'],
  ['§3.1 alg ES256', withHeader({ ...goodHeader, alg: 'ES256' }), 'token/alg'],
  ['§3.1 another name of the same algorithm', signed({}, { alg: 'Ed25519' }), 'token/alg'],
  ['§3.1 alg as an array', signed({}, { alg: ['EdDSA'] }), 'token/alg'],
  ['§2.5 a key in the header', signed({}, { jwk: stranger.public.jwk }, stranger), 'token/header'],
  ['§3.10 a key by URL', signed({}, { jku: 'https://example.com/jwks.json' }), 'token/header'],
  ['§3.10 a certificate by URL', signed({}, { x5u: 'https://example.com/leaf.pem' }), 'token/header'],
  ['a certificate in the header', signed({}, { x5c: ['MIIB'] }), 'token/header'],
  ['RFC 7515 §4.1.11 crit', signed({}, { crit: ['exp'], exp: 1 }), 'token/header'],
  ['RFC 7797 b64 false', signed({}, { b64: false, crit: ['b64'] }), 'token/header'],
  ['§3.6 zip', signed({}, { zip: 'DEF' }), 'token/header'],
  ['cty', signed({}, { cty: 'JWT' }), 'token/header'],
  ['§3.10 kid that is a path', signed({}, { kid: '../../../dev/null' }), 'token/header'],
  ['§3.10 kid that is a query', signed({}, { kid: "' OR 1=1 --" }), 'token/header'],
  ['kid absent', signParts(without('kid'), claimsText), 'token/header'],
  ['§3.8 a key that nobody knows', signed({}, { kid: stranger.public.kid }, stranger), 'token/unknown-key'],
  ['the kid of a known key on the signature of another', signed({}, {}, stranger), 'token/signature'],
  ['§3.11 typ absent', signParts(without('typ'), claimsText), 'token/header'],
  ['§3.11 typ JWT', signed({}, { typ: 'JWT' }), 'token/header'],
  ['§3.11 typ of a refresh token', signed({}, { typ: tokenTypes.refresh }), 'token/typ'],
  ['§3.11 typ in capitals', signed({}, { typ: tokenTypes.session.toUpperCase() }), 'token/header'],
  ['§3.12 a refresh token as a session', signed({ token_use: 'refresh' }, { typ: tokenTypes.refresh }), 'token/use'],
  ['§3.12 a session that calls itself refresh', signed({ token_use: 'refresh' }), 'token/typ'],
  ['a use that does not exist', signed({ token_use: 'admin' }), 'token/claims'],
  ['a use from the prototype', signed({ token_use: 'constructor' }), 'token/claims'],
  ['§3.9 another audience', signed({ aud: ['mail'] }), 'token/audience'],
  ['§3.9 an audience that starts alike', signed({ aud: ['photos2', 'photo'] }), 'token/audience'],
  ['aud as text', signed({ aud: 'photos' }), 'token/claims'],
  ['aud empty', signed({ aud: [] }), 'token/claims'],
  ['aud named twice', signed({ aud: ['photos', 'photos'] }), 'token/claims'],
  ['aud with a number in it', signed({ aud: ['photos', 1] }), 'token/claims'],
  ['aud without end', signed({ aud: Array.from({ length: 17 }, (_, index) => `a${index}`) }), 'token/claims'],
  ['§3.8 another issuer', signed({ iss: 'root' }), 'token/issuer'],
  ['no sid where a session is asked for', signed({ sid: undefined }), 'token/session'],
  ['sub absent', signed({ sub: undefined }), 'token/claims'],
  ['sub empty', signed({ sub: '' }), 'token/claims'],
  ['sub with a line break', signed({ sub: 'alice\nbob' }), 'token/claims'],
  ['sub as a number', signed({ sub: 1 }), 'token/claims'],
  ['exp absent', signed({ exp: undefined }), 'token/claims'],
  ['exp as text', signed({ exp: String(now + 600) }), 'token/claims'],
  ['exp with a fraction', signed({ exp: now + 0.5 }), 'token/claims'],
  ['exp negative', signed({ exp: -1 }), 'token/claims'],
  ['exp beyond what a number can hold', signed({ exp: 2 ** 60 }), 'token/claims'],
  ['exp now', signed({ exp: now }), 'token/expired'],
  ['exp in a second', signed({ exp: now + 1 }), 'accepted'],
  ['made to live too long', signed({ exp: now + 900 }), 'token/lifetime'],
  ['exp before iat', signed({ iat: now + 50, exp: now + 40 }), 'token/lifetime'],
  ['issued 60 s ahead of our clock', signed({ iat: now + 60 }), 'accepted'],
  ['issued 61 s ahead of our clock', signed({ iat: now + 61 }), 'token/not-yet-valid'],
  ['nbf, which no token of ours has', signed({ nbf: now - 1 }), 'token/claims'],
  ['a claim that nobody knows', signed({ admin: true }), 'token/claims'],
  ['cnf with a key beside the thumbprint', signed({ cnf: { jkt: 'x', jwk: {} } }), 'token/claims'],
  ['cnf with a thumbprint', signed({ cnf: { jkt: stranger.public.kid } }), 'accepted'],
  ['the epoch before a restore', signed({ epoch: 2 }), 'token/epoch'],
  ['an epoch to come', signed({ epoch: 4 }), 'token/epoch'],
  ['epoch absent', signed({ epoch: undefined }), 'token/claims'],
  ['a claim named twice', signParts(headerText, claimsText.replace('{', '{"sub":"root",')), 'token/malformed'],
  ['alg named twice', signParts(headerText.replace('{', '{"alg":"none",'), claimsText), 'token/malformed'],
  ['a padded part', `${goodFirst}.${goodSecond}.${goodThird}==`, 'token/malformed'],
  ['four parts', `${good}.${goodThird}`, 'token/malformed'],
  ['five parts (JWE)', `${good}.${goodThird}.${goodThird}`, 'token/malformed'],
  ['white space around it', ` ${good} `, 'token/malformed'],
  ['JSON serialisation', jsonForm, 'token/malformed'],
  ['an empty token', '', 'token/malformed'],
  ['a payload that is an array', signParts(JSON.stringify(goodHeader), '[]'), 'token/malformed'],
  ['a byte order mark', signParts(JSON.stringify(goodHeader), `\ufeff${JSON.stringify(claims)}`), 'token/malformed'],
  ['a public key in place of the token', publicKeyText, 'token/malformed'],
  ['a device document', signDocument(hub, 'zw-device+jws', { ...claims }), 'token/typ'],
])

attacks('a signature with the group order added to S is refused (RFC 8032 §5.1.7)', async () => {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const signature = fromBase64url(goodThird)!
  let value = 0n
  for (let index = 63; index >= 32; index--) value = (value << 8n) | BigInt(signature[index]!)
  value += order
  const changed = signature.slice()
  for (let index = 32; index < 64; index++, value >>= 8n) changed[index] = Number(value & 255n)
  assert.is(value, 0n)
  assert.is(await reasonOf(`${goodFirst}.${goodSecond}.${toBase64url(changed)}`), 'token/signature')
})

attacks.run()
