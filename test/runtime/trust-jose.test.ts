import { importJWK, jwtVerify } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { thumbprint } from '../../runtime/trust/keys.ts'
import { tokenTypes, type TokenClaims } from '../../runtime/trust/token.ts'
import {
  claims, decode, good, goodHeader, hub, keys, now, random, reasonOf, signParts, signed, stranger,
} from './trust-fixture.ts'

const oracle = suite('against jose')

/** `same`: our verdict is jose's; `stricter`: we refuse whatever jose says; `sound`: we accept no more than jose. */
type Expected = 'same' | 'stricter' | 'sound'

const pick = <T>(items: readonly T[]): T => items[random.word() % items.length]!
const below = (limit: number): number => random.word() % limit
const alphabet = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
const replaceAt = (text: string, at: number, by: string): string => text.slice(0, at) + by + text.slice(at + 1)
/** One character of a text becomes another printable one. */
const smudge = (text: string): string => replaceAt(text, below(text.length), String.fromCharCode(32 + below(95)))
const headerText = JSON.stringify(goodHeader)
const claimsText = JSON.stringify(claims)

/** Some within and some just beyond what the policy accepts. */
function varied(): Partial<TokenClaims> {
  return {
    iss: below(8) === 0 ? pick(['root', 'verify-hub2']) : 'verify-hub',
    sub: pick(['alice', 'bob', 'ood1']),
    aud: pick([['photos'], ['mail', 'photos'], ['mail'], ['photos', 'system-config']]),
    iat: now - 300 + below(360),
    exp: now + pick([-100, -1, 0, 1, 2, 100, 200, 300, 400, 500]),
    jti: `j-${random.word()}`,
  }
}

/** Each draws one token. */
const mutations: readonly (readonly [kind: string, expected: Expected, draw: () => string])[] = [
  ['nothing', 'same', () => signed({ jti: `j-${random.word()}`, sub: pick(['alice', 'bob']) })],
  ['claims', 'same', () => signed(varied())],
  ['wrong key', 'same', () => signed(varied(), {}, pick([hub, stranger]))],
  ['absent claim', 'same', () => signed({ [pick(['iss', 'aud', 'exp', 'iat', 'sub', 'jti', 'sid'])]: undefined })],
  ['type of a time', 'same', () => signed({ [pick(['exp', 'iat'])]: pick(['1', null, true, {}, [now]]) })],
  ['typ', 'same', () => signed({}, { typ: pick(['JWT', ...Object.values(tokenTypes)]) })],
  ['alg', 'same', () => signed({}, { alg: pick(['none', 'HS256', 'ES256', 'RS256', 'EdDSA', '', null]) })],
  // Not the last character: it has bits that encode nothing (see 'spelling of the signature')
  ['character', 'same', () => {
    const token = signed(varied())
    return replaceAt(token, below(token.length - 1), pick(alphabet))
  }],
  ['cut', 'same', () => {
    const token = signed(varied())
    const at = below(token.length)
    return pick([token.slice(0, at), token.slice(at), replaceAt(token, at, '')])
  }],
  ['crossed', 'same', () => {
    const two = [signed(varied()).split('.'), signed(varied(), {}, pick([hub, stranger])).split('.')]
    return [0, 1, 2].map((part) => pick(two)[part]).join('.')
  }],
  ['payload smudged, then signed', 'sound', () => {
    return signParts(headerText, smudge(JSON.stringify({ ...claims, ...varied() })))
  }],
  ['header smudged, then signed', 'sound', () => signParts(smudge(headerText), claimsText)],
  ['header member', 'stricter', () => {
    const name = pick(['jwk', 'jku', 'x5u', 'x5c', 'cty', 'zip', 'b64', 'nonce'])
    return signed({}, { [name]: pick([true, 'x', {}]) })
  }],
  ['claim besides ours', 'stricter', () => signed({ [pick(['nbf', 'admin', 'roles'])]: pick([0, 'x', true]) })],
  ['aud as text', 'stricter', () => signed({ aud: 'photos' })],
  ['spelling of typ', 'stricter', () => signed({}, { typ: pick(['ZW-session+jwt', 'application/zw-session+jwt']) })],
  ['kid', 'stricter', () => signed({}, { kid: pick([stranger.public.kid, 'x', 1, '']) })],
  ['clock ahead', 'stricter', () => signed({ iat: now + 61 + below(500), exp: now + 800 })],
  ['lifetime', 'stricter', () => signed({ iat: now - 10, exp: now + 891 + below(9_999) })],
  ['epoch', 'stricter', () => signed({ epoch: pick([0, 2, 4, '3', null, 3.5]) })],
  ['name twice', 'stricter', () => signParts(headerText, claimsText.replace('{', '{"sub":"root",'))],
  ['spelling of the signature', 'stricter', () => {
    const token = signed({})
    const last = alphabet.indexOf(token.at(-1)!)
    return token.slice(0, -1) + alphabet[last ^ (1 + below(15))]!
  }],
]

oracle('4,400 mutated tokens get the verdict of jwtVerify, but where ours is stricter by rule', async () => {
  const josePublic = await importJWK({ ...hub.public.jwk }, 'EdDSA')
  const options = {
    algorithms: ['EdDSA'], issuer: 'verify-hub', audience: 'photos', typ: tokenTypes.session,
    requiredClaims: ['exp', 'iat', 'jti', 'sub', 'sid'], currentDate: new Date(now * 1000),
  }
  const joseAccepts = async (token: string): Promise<boolean> => {
    try {
      const { payload } = await jwtVerify(token, josePublic, options)
      // jose checks `iat` and an `exp` before it only with an age limit
      return typeof payload.iat === 'number' && payload.iat < payload.exp!
    } catch {
      return false
    }
  }
  const counts = { both: 0, neither: 0, joseAlone: 0 }
  const joseAlone = new Set<string>()
  for (let round = 0; round < 4_400; round++) {
    const [kind, expected, draw] = mutations[round % mutations.length]!
    const token = draw()
    const [ours, jose] = [await reasonOf(token), await joseAccepts(token)]
    const accepted = ours === 'accepted'
    const told = `${kind}: ours ${ours}, jose ${jose}, ${token}`
    if (accepted) assert.ok(jose, told)
    if (expected === 'same') assert.is(accepted, jose, told)
    if (expected === 'stricter') assert.not(accepted, told)
    if (jose && !accepted) joseAlone.add(kind)
    counts[accepted ? 'both' : jose ? 'joseAlone' : 'neither']++
  }
  assert.ok(counts.both > 400 && counts.neither > 1_500, JSON.stringify(counts))
  // A stricter kind that jose refuses as well would prove nothing.
  for (const [kind, expected] of mutations) {
    if (expected === 'stricter') assert.ok(joseAlone.has(kind), kind)
  }
})

oracle('jose reads the tokens that we sign, and we those that it would sign', async () => {
  const { payload, protectedHeader } = await jwtVerify(good, await importJWK({ ...hub.public.jwk }, 'EdDSA'), {
    currentDate: new Date(now * 1000),
  })
  assert.equal(payload, claims)
  assert.equal(protectedHeader, goodHeader)
  assert.is(decode(good.split('.')[0]!), JSON.stringify(goodHeader))
})

oracle('the thumbprint is that of RFC 8037 appendix A.3', () => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' } as const
  assert.is(thumbprint(keys, jwk), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  assert.is(keys.importJwk(jwk).kid, thumbprint(keys, jwk))
})

oracle.run()
