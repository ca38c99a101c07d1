import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { looseObject, string } from 'valibot'
import { limits } from '../../runtime/limits.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import {
  allowedBy, createDenialLog, deniedBy, denialReasons, type DenialReason,
} from '../../runtime/trust/denial.ts'
import { parseObject } from '../../runtime/trust/json.ts'
import { signCompact } from '../../runtime/trust/jws.ts'
import { signDocument, verifyDocument } from '../../runtime/trust/keys.ts'
import { signToken, tokenTypes, type TokenClaims } from '../../runtime/trust/token.ts'
import { verifyToken, verifyTokenSync, type TokenRule } from '../../runtime/trust/verify.ts'
import {
  claims, denialOf, encode, good, hub, hubTrust, keys, now, policy, random, reasonOf, sessionRule, signParts, signed,
  stranger,
} from './trust-fixture.ts'

const encoder = new TextEncoder()

const forms = suite('form')

forms('base64url round-trips every length and agrees with RFC 4648 §10', () => {
  for (let length = 0; length < 40; length++) {
    const bytes = random.bytes(length)
    assert.equal(fromBase64url(toBase64url(bytes)), new Uint8Array(bytes))
  }
  assert.is(encode('foobar'), 'Zm9vYmFy')
  assert.is(encode('fooba'), 'Zm9vYmE')
})

forms('base64url has one spelling for each value', () => {
  const wrong = [
    'Zg==', 'Zh', 'Zm9=', 'Zm9v\n', 'Zm+v', 'Zm/v', 'Z', 'Zm9vZ', 'Zm9vYmF', 'é', '\u{1F600}', 'Zm 9',
    '!A', '!mA',
  ]
  for (const text of wrong) {
    assert.is(fromBase64url(text), undefined, text)
  }
  for (const text of ['Zg', 'Zm8', 'Zm9v', '']) assert.instance(fromBase64url(text), Uint8Array, text)
})

forms('a member named twice is refused at any depth and however it is spelt', () => {
  const read = (bytes: Uint8Array): unknown => {
    const parsed = parseObject(bytes)
    return 'value' in parsed ? parsed.value : undefined
  }
  const parse = (text: string): unknown => read(encoder.encode(text))
  for (const text of [
    '{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"a":{"b":1,"c":[{"d":1,"d":2}]}}', '{"a":[1,{"x":1}],"b":2,"a":3}',
    '{"__proto__":1}', '[]', '1', 'null', '"a"', '', '{"a":1}x', '{"a":}', '\ufeff{"a":1}',
  ]) assert.is(parse(text), undefined, text)
  for (const text of [
    '{}', ' { "a" : { "a" : [ { "a" : "\\"a\\":{" } , 1 ] } } ', '{"a":"\\\\","b":"a"}', '{"a":["a","a"]}',
  ]) {
    assert.equal(parse(text), JSON.parse(text))
  }
  assert.is(read(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)), undefined, 'not UTF-8')
})

forms('a token of the allowed length is read, one character more is not', async () => {
  assert.is(await reasonOf('x'.repeat(limits.token)), 'token/malformed')
  assert.is(await reasonOf('x'.repeat(limits.token + 1)), 'token/too-long')
})

const rules = suite('rules')

rules('a principal is what the claims say, and has a session only by a rule that asks for one', async () => {
  const verdict = await verifyToken(good, policy)
  assert.ok(verdict.accepted)
  assert.equal(verdict.principal, { sub: 'alice', appid: 'photos', runtimeType: 'user', sid: 's-1', sudo: false })
  const loose = await verifyToken(good, { ...policy, rules: [{ ...sessionRule, requireSession: false }] })
  assert.ok(loose.accepted)
  assert.not('sid' in loose.principal)
})

rules('without a key the lookup of no other issuer is asked, and a key under a wrong kid is not taken', async () => {
  assert.is(await reasonOf(good, { trustKey: () => undefined }), 'token/unknown-key')
  const wrong = { ...hubTrust, kid: stranger.public.kid }
  assert.is(await reasonOf(good, { trustKey: () => wrong }), 'token/unknown-key')
  const renamed = { ...hubTrust, jwk: stranger.public.jwk }
  assert.is(await reasonOf(good, { trustKey: () => renamed }), 'token/unknown-key')
})

rules('no key is looked up for a use that no rule accepts', async () => {
  let lookups = 0
  const trustKey = () => { lookups++; return hubTrust }
  assert.is(await reasonOf(signed({ token_use: 'refresh' }, { typ: tokenTypes.refresh }), { trustKey }), 'token/use')
  assert.is(await reasonOf('junk', { trustKey }), 'token/malformed')
  assert.is(lookups, 0)
  assert.is(await reasonOf(good, { trustKey }), 'accepted')
  assert.is(lookups, 1)
})

rules('a pattern of key reasons matches one segment, which names the issuer', async () => {
  const accepts = (pattern: string, reason: string, issuer = 'verify-hub') => reasonOf(good, {
    rules: [{ ...sessionRule, keyReasons: [pattern] }], trustKey: () => ({ ...hubTrust, reason, issuer }),
  })
  assert.is(await accepts('users/*/doc', 'users/verify-hub/doc'), 'accepted')
  assert.is(await accepts('users/*/doc', 'users/alice/doc'), 'token/key-reason')
  assert.is(await accepts('users/*/doc', 'users/verify-hub/doc2'), 'token/key-reason')
  assert.is(await accepts('users/*/doc', 'users/a/b/doc', 'a/b'), 'token/key-reason')
  assert.is(await accepts('devices/*', 'devices/ood1/doc'), 'accepted')
  assert.is(await accepts('env', 'env'), 'accepted')
  assert.is(await accepts('env', 'env2'), 'token/key-reason')
  assert.is(await accepts('', 'env'), 'token/key-reason')
})

rules('each condition of a rule refuses alone', async () => {
  const cases: readonly (readonly [Partial<TokenRule>, DenialReason | 'accepted'])[] = [
    [{ subject: 'issuer' }, 'token/subject'],
    [{ subject: { is: ['bob'] } }, 'token/subject'],
    [{ subject: { is: ['bob', 'alice'] } }, 'accepted'],
    [{ issuersRefused: ['verify-*'] }, 'token/issuer'],
    [{ issuersRefused: ['verify', 'root'] }, 'accepted'],
    [{ subjectsRefused: ['alice'] }, 'token/subject'],
    [{ subjectsRefused: ['al*'] }, 'token/subject'],
    [{ subjectsRefused: ['alic', 'bob*'] }, 'accepted'],
    [{ audienceAlone: true }, 'token/audience'],
    [{ runtimeTypes: ['service'] }, 'token/runtime-type'],
    [{ runtimeTypes: ['service', 'user'] }, 'accepted'],
    [{ lifetimeSecondsMax: 609 }, 'token/lifetime'],
    [{ lifetimeSecondsMax: 610 }, 'accepted'],
    [{ keyReasons: [] }, 'token/key-reason'],
    [{ tokenUse: 'root' }, 'token/use'],
  ]
  for (const [change, reason] of cases) {
    assert.is(await reasonOf(good, { rules: [{ ...sessionRule, ...change }] }), reason, JSON.stringify(change))
  }
  assert.is(await reasonOf(good, { rules: [] }), 'token/use')
})

rules('of several rules the first that holds decides, else the one that came furthest is named', async () => {
  const strict: TokenRule = { ...sessionRule, id: 'strict', subject: 'issuer' }
  const short: TokenRule = { ...sessionRule, id: 'short', lifetimeSecondsMax: 1 }
  const first = await verifyToken(good, { ...policy, rules: [strict, sessionRule, { ...sessionRule, id: 'later' }] })
  assert.ok(first.accepted)
  assert.is(first.rule.id, 'test/session')
  assert.equal(await denialOf(good, { rules: [short, strict] }), {
    layer: 'token', reason: 'token/subject', rule: 'strict', detail: 'sub alice, iss verify-hub',
  })
})

rules('skew is told in seconds', async () => {
  const { detail, measured } = await denialOf(signed({ iat: now + 600, exp: now + 900 }))
  assert.is(detail, 'skew: 600 s ahead, at most 60 s')
  assert.equal(measured, { skewSeconds: 600 })
  // Made just now by a clock that is ten minutes slow
  const slow = await denialOf(signed({ iat: now - 600, exp: now - 300 }))
  assert.is(slow.detail, '300 s ago, issued 600 s ago')
  assert.equal(slow.measured, { expiredAgoSeconds: 300, issuedAgoSeconds: 600 })
  assert.is((await denialOf(signed({ aud: ['mail'] }))).measured, undefined)
  assert.is((await denialOf(signed({ iat: now + 600 }, {}, stranger))).measured, undefined, 'of a forgery')
})

rules('a token that may be used once gets in once, and nowhere without a ledger', async () => {
  const used = new Set<string>()
  const burn = async (id: string): Promise<boolean> => used.size < used.add(id).size
  const once = { rules: [{ ...sessionRule, once: true }] }
  assert.is(await reasonOf(good, once), 'token/replay-unchecked')
  assert.is(await reasonOf(good, { ...once, burn }), 'accepted')
  assert.is(await reasonOf(good, { ...once, burn }), 'token/replayed')
  assert.equal([...used], [`${hub.public.kid}:j-1`])
  const sync = verifyTokenSync(good, { ...policy, ...once, trustKey: () => hubTrust })
  assert.is(sync.accepted || sync.denial.reason, 'token/replay-unchecked')
})

rules('nothing is burned by a token that is refused for another reason', async () => {
  let burned = 0
  const burn = async (): Promise<boolean> => { burned++; return true }
  const once = { rules: [{ ...sessionRule, once: true }], burn }
  const refused = [signed({ aud: ['mail'] }), signed({}, {}, stranger), signed({ exp: now }), signed({ sub: '' })]
  for (const token of refused) {
    assert.is.not(await reasonOf(token, once), 'accepted')
  }
  assert.is(burned, 0)
})

rules('what signToken would make unreadable it refuses', () => {
  assert.throws(() => signToken(hub, { ...claims, aud: [] }), /aud must be/)
  assert.throws(() => signToken(hub, { ...claims, exp: 1.5 }), /exp must be/)
  assert.throws(() => signToken(hub, { ...claims, extra: 1 } as TokenClaims), /besides ours/)
})

const denials = suite('denials')

const clock = { now: () => now * 1000, monotonic: () => 0, after: () => () => {}, soon: () => {} }

denials('the caller learns a sentence, an id and a reason; the chain stays here', async () => {
  const told: string[] = []
  const log = createDenialLog({ random: random.fork('log'), clock, onDenial: ({ id }) => told.push(id) })
  const token = signed({ aud: ['mail'] })
  const error = log.denied([allowedBy('link', 'link/gateway/*/same'), deniedBy(await denialOf(token))])
  assert.is(error.code, 'Denied')
  assert.is(error.message, denialReasons['token/audience'])
  assert.equal(Object.keys(error.details), ['denial', 'reason'])
  const id = String(error.details['denial'])
  assert.match(id, /^D-[0-9a-f]{8}$/)
  const record = log.explain(id)!
  assert.equal(record.chain, [
    { layer: 'link', verdict: 'allowed', rule: 'link/gateway/*/same' },
    { layer: 'token', verdict: 'denied', rule: 'test/session', reason: 'token/audience', detail: 'aud mail' },
  ])
  assert.equal(told, [id])
  assert.not(JSON.stringify(record).includes(token.slice(0, 20)))
})

denials('how far two clocks differ is told to the caller as well', async () => {
  const log = createDenialLog({ random: random.fork('clocks'), clock })
  const ahead = log.denied([deniedBy(await denialOf(signed({ iat: now + 600, exp: now + 900 })))])
  assert.equal([ahead.details['reason'], ahead.details['skewSeconds']], ['token/not-yet-valid', 600])
  const { details } = log.denied([deniedBy(await denialOf(signed({ iat: now - 600, exp: now - 300 })))])
  assert.equal([details['expiredAgoSeconds'], details['issuedAgoSeconds']], [300, 600])
})

denials('the log forgets the oldest beyond its limit', () => {
  const log = createDenialLog({ random: random.fork('many'), clock })
  const chain = [deniedBy({ layer: 'rbac', reason: 'rbac/no-rule', rule: '-', detail: '' })]
  const ids = Array.from({ length: limits.denials + 5 }, () => String(log.denied(chain).details['denial']))
  assert.is(log.total, limits.denials + 5)
  assert.is(log.explain(ids[4]!), undefined)
  assert.ok(log.explain(ids[5]!))
  assert.ok(log.explain(ids.at(-1)!))
})

denials('a chain that ends with no refusal is a fault of the program', () => {
  const log = createDenialLog({ random, clock })
  assert.throws(() => log.denied([allowedBy('link', 'x')]), /must end/)
  assert.throws(() => log.denied([]), /must end/)
})

denials('no refusal tells a part of the token', async () => {
  const refused = [good.slice(0, -3), `${good}x`, signed({ sub: 'x'.repeat(200) }), signed({}, { typ: 'secret typ' })]
  for (const token of refused) {
    const { detail } = await denialOf(token)
    for (const part of token.split('.')) assert.not(detail.includes(part.slice(0, 12)))
    assert.not(detail.includes('xxxx'))
    assert.not(detail.includes('secret'))
  }
})

const documents = suite('documents')
const Device = looseObject({ name: string() })
const read = (text: string, key = hub.public.jwk, typ = 'zw-device+jws') => {
  const verdict = verifyDocument(keys, text, { typ, schema: Device, key })
  return verdict.accepted ? verdict.payload : verdict.denial.reason
}

documents('a document is read back with the fields that the schema does not name', () => {
  const text = signDocument(hub, 'zw-device+jws', { name: 'ood1', more: { a: 1 } })
  assert.equal(read(text), { name: 'ood1', more: { a: 1 } })
  const lookup = (kid: string) => (kid === hub.public.kid ? hub.public.jwk : undefined)
  assert.ok(verifyDocument(keys, text, { typ: 'zw-device+jws', schema: Device, lookup }).accepted)
})

documents('a document of another kind, key, content or form is refused', () => {
  const text = signDocument(hub, 'zw-device+jws', { name: 'ood1' })
  assert.is(read(text, stranger.public.jwk), 'document/unknown-key')
  assert.is(read(text, hub.public.jwk, 'zw-zone+jws'), 'document/typ')
  assert.is(read(signDocument(hub, 'zw-device+jws', { title: 1 })), 'document/content')
  assert.is(read(`${text.slice(0, -4)}AAAA`), 'document/signature')
  assert.is(read(`${text}.`), 'document/malformed')
  assert.is(read(good), 'document/typ')
  const header = JSON.stringify({ alg: 'EdDSA', typ: 'zw-device+jws', kid: hub.public.kid })
  const forged = signParts(header, '{"name":"x"}', stranger)
  assert.is(read(forged), 'document/signature')
  for (const x of ['', 'AAAA', `${hub.public.jwk.x}=`]) {
    assert.is(read(text, { ...hub.public.jwk, x }), 'document/unknown-key', 'what is no key refuses and does not throw')
  }
  const unknown = verifyDocument(keys, text, { typ: 'zw-device+jws', schema: Device })
  assert.is(unknown.accepted || unknown.denial.reason, 'document/unknown-key')
})

documents('no document can be made that reads as a token, or that is too long to read', () => {
  assert.throws(() => signDocument(hub, tokenTypes.session, claims), /typ of a token/)
  assert.throws(() => signDocument(hub, 'zw-device+jws', { name: 'x'.repeat(limits.document) }), /longer than/)
  const asToken = signCompact(hub, tokenTypes.session, { name: 'x' })
  assert.is(read(asToken, hub.public.jwk, tokenTypes.session), 'document/typ')
})

for (const test of [forms, rules, denials, documents]) test.run()
