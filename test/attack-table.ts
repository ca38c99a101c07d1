import { fromBase64url, toBase64url } from '../runtime/trust/base64url.ts'
import type { DenialReason } from '../runtime/trust/denial.ts'
import { signDocument } from '../runtime/trust/keys.ts'
import { tokenTypes } from '../runtime/trust/token.ts'
import { encode, headerOf, resigned, signatureWithOrder, signText, smallOrder, type Target } from './attack-parts.ts'

/**
 * Attacks on tokens: RFC 8725 §2 and §3, RFC 7515, RFC 7797, RFC 8032 and what a zone adds. One table for the function
 * that checks tokens and for every door of a zone that takes one.
 */
export interface Attack {
  readonly name: string
  readonly token: string
  readonly reason: DenialReason
}

type Row = readonly [name: string, token: string, reason: DenialReason]

export function attacksOn(target: Target): readonly Attack[] {
  const rows = [
    ...algorithms(target), ...headers(target), ...forms(target), ...sizes(target), ...signatures(target),
    ...contents(target),
  ]
  return rows.map(([name, token, reason]) => ({ name, token, reason }))
}

function algorithms(target: Target): readonly Row[] {
  const { key, stranger } = target
  const [first, second, third] = resigned(target, {}).split('.') as [string, string, string]
  const none = (alg: unknown, signature = ''): string =>
    `${encode(JSON.stringify({ ...headerOf(target), alg }))}.${second}.${signature}`
  return [
    ...['none', 'None', 'NONE', 'nOnE', 'nonE'].map((alg): Row =>
      [`§2.1 alg ${alg} with no signature`, none(alg), 'token/alg-none']),
    ['§2.1 alg none with a signature that is right', resigned(target, { alg: 'none' }), 'token/alg-none'],
    ['§2.1 alg none and nothing else', `${encode('{"alg":"none"}')}.${second}.`, 'token/alg-none'],
    ['§2.1 alg none with a space', none('none '), 'token/alg'],
    ['§2.1 the signature is cut off', `${first}.${second}.`, 'token/malformed'],
    ...['HS256', 'HS384', 'HS512', 'ES256', 'ES512', 'ES256K', 'RS256', 'PS256', 'Ed448', 'Ed25519', 'X25519', 'eddsa',
      'EDDSA', ' EdDSA', '', 'A128KW', 'dir'].map((alg): Row =>
      [`§2.1 alg ${JSON.stringify(alg)} under a right signature`, resigned(target, { alg }), 'token/alg']),
    ...[null, true, 1, ['EdDSA'], { alg: 'EdDSA' }].map((alg): Row =>
      [`§3.1 alg as ${JSON.stringify(alg)}`, resigned(target, { alg }), 'token/alg']),
    ['§3.1 alg absent', resigned(target, { alg: undefined }), 'token/alg'],
    ['§2.5 a JWE of five parts', `${none('dir', third)}.${third}.${third}`, 'token/malformed'],
    ['§2.1 another key under this kid', resigned(target, {}, {}, stranger), 'token/signature'],
    [
      '§3.8 a key that nobody knows', resigned(target, { kid: stranger.public.kid }, {}, stranger),
      'token/unknown-key',
    ],
    ['§2.1 the key itself as the token', JSON.stringify(key.public.jwk), 'token/malformed'],
  ]
}

function headers(target: Target): readonly Row[] {
  const { key, stranger } = target
  const own = stranger.public
  const url = 'https://example.com/keys.json'
  const brought: readonly (readonly [string, unknown])[] = [
    ['jwk', own.jwk], ['jku', url], ['jku', 'file:///dev/null'], ['x5u', url], ['x5c', ['MIIB']],
    ['x5t', own.kid], ['x5t#S256', own.kid], ['jwk', key.public.jwk],
  ]
  const kids: readonly unknown[] = [
    '../../../dev/null', '/dev/null', '..%2f..%2fdev%2fnull', 'boot/config', 'kv://boot/config', url,
    "x' OR '1'='1", "' UNION SELECT 'a' --", '$(id)', '| id', 'key?x=1', `${key.public.kid}?`, `${key.public.kid}\0`,
    ` ${key.public.kid}`, `${key.public.kid}=`, key.public.kid.slice(1), '', 'root', 'verify-hub', 'constructor',
    '__proto__', 1, null, [key.public.kid], { kid: key.public.kid },
  ]
  return [
    ...brought.map(([name, value]): Row => [
      `§3.10 ${name} ${JSON.stringify(value).slice(-24)}`, resigned(target, { [name]: value }, {}, stranger),
      'token/header-key',
    ]),
    ['§3.10 jwk, and its kid', resigned(target, { jwk: own.jwk, kid: own.kid }, {}, stranger), 'token/header-key'],
    ...kids.map((kid): Row => [`§3.10 kid ${JSON.stringify(kid)}`, resigned(target, { kid }), 'token/kid']),
    ['§3.10 kid absent', resigned(target, { kid: undefined }), 'token/kid'],
    ['§3.10 kid of another key that is not trusted', resigned(target, { kid: own.kid }), 'token/unknown-key'],
    ...['JWT', 'jwt', 'at+jwt', 'zw-device+jws', tokenTypes.refresh, tokenTypes.root, tokenTypes.sudo,
      tokenTypes.session.toUpperCase(), `application/${tokenTypes.session}`, `${tokenTypes.session} `, '',
      'x'.repeat(65),
    ].map((typ): Row => [`§3.11 typ ${JSON.stringify(typ).slice(0, 32)}`, resigned(target, { typ }), 'token/typ']),
    ...[null, 1, [tokenTypes.session], {}].map((typ): Row =>
      [`§3.11 typ as ${JSON.stringify(typ)}`, resigned(target, { typ }), 'token/typ']),
    ['§3.11 typ absent', resigned(target, { typ: undefined }), 'token/typ'],
    ['RFC 7515 §4.1.11 crit of an extension', resigned(target, { crit: ['x'], x: 1 }), 'token/crit'],
    ['RFC 7515 §4.1.11 crit of exp', resigned(target, { crit: ['exp'], exp: 1 }), 'token/crit'],
    ['RFC 7515 §4.1.11 crit empty', resigned(target, { crit: [] }), 'token/crit'],
    ['RFC 7515 §4.1.11 crit null', resigned(target, { crit: null }), 'token/crit'],
    ['RFC 7797 b64 false', resigned(target, { b64: false, crit: ['b64'] }), 'token/b64'],
    ['RFC 7797 b64 false without crit', resigned(target, { b64: false }), 'token/b64'],
    ['RFC 7797 b64 true', resigned(target, { b64: true, crit: ['b64'] }), 'token/b64'],
    ['RFC 7797 the payload as it is', unencoded(target), 'token/b64'],
    ['§3.6 zip', resigned(target, { zip: 'DEF' }), 'token/header'],
    ['RFC 7519 §5.2 cty', resigned(target, { cty: 'JWT' }), 'token/header'],
    ['RFC 7519 §5.2 a token in a token', signText(key, JSON.stringify({ ...headerOf(target), cty: 'JWT' }),
      resigned(target, {})), 'token/header'],
    ...['url', 'nonce', 'iss', 'enc', 'constructor', 'ＡＬＧ', 'alg\u200b'].map((name): Row =>
      [`a member that no header has: ${JSON.stringify(name)}`, resigned(target, { [name]: 'x' }), 'token/header']),
  ]
}

/** RFC 7797 §5.2: what is signed is the payload without base64url. */
function unencoded(target: Target): string {
  const header = encode(JSON.stringify({ ...headerOf(target), b64: false, crit: ['b64'] }))
  const payload = '{"sub":"root"}'
  const signature = target.key.sign(new TextEncoder().encode(`${header}.${payload}`))
  return `${header}.${payload}.${toBase64url(signature)}`
}

function forms(target: Target): readonly Row[] {
  const { key, claims } = target
  const token = resigned(target, {})
  const [first, second, third] = token.split('.') as [string, string, string]
  const [header, payload] = [JSON.stringify(headerOf(target)), JSON.stringify(claims)]
  const twice = (where: 'header' | 'payload', member: string): string =>
    (where === 'header'
      ? signText(key, header.replace('{', `{${member},`), payload)
      : signText(key, header, payload.replace('{', `{${member},`)))
  const flipped = third.startsWith('A') ? 'B' : 'A'
  return [
    ['§2.4 alg twice', twice('header', '"alg":"none"'), 'token/duplicate'],
    ['§2.4 alg twice, by an escape', twice('header', '"\\u0061lg":"none"'), 'token/duplicate'],
    ['§2.4 alg twice, the same', twice('header', '"alg":"EdDSA"'), 'token/duplicate'],
    ['§2.4 kid twice', twice('header', '"kid":"x"'), 'token/duplicate'],
    ['§2.4 sub twice', twice('payload', '"sub":"root"'), 'token/duplicate'],
    ['§2.4 sub twice, by an escape', twice('payload', '"\\u0073\\u0075\\u0062":"root"'), 'token/duplicate'],
    ['§2.4 token_use twice', twice('payload', '"token_use":"root"'), 'token/duplicate'],
    ['§2.4 a member of cnf twice', twice('payload', '"cnf":{"jkt":"a","jkt":"b"}'), 'token/duplicate'],
    ['a member __proto__', twice('payload', '"__proto__":{"sub":"root"}'), 'token/malformed'],
    ['a member __proto__, by an escape', twice('payload', '"\\u005f_proto__":{"sub":"root"}'), 'token/malformed'],
    ['a header member __proto__', twice('header', '"__proto__":{"alg":"none"}'), 'token/malformed'],
    ['a member constructor', twice('payload', '"constructor":{"prototype":{}}'), 'token/claims'],
    ['a member of look-alike letters', twice('payload', '"ѕub":"root"'), 'token/claims'],
    ['a header that is no object', signText(key, '[]', payload), 'token/malformed'],
    ['a header of two objects', signText(key, `${header}${header}`, payload), 'token/malformed'],
    ['a payload that is an array', signText(key, header, '[]'), 'token/malformed'],
    ['a payload that is null', signText(key, header, 'null'), 'token/malformed'],
    ['a payload that is text', signText(key, header, '"x"'), 'token/malformed'],
    ['a payload with a comment', signText(key, header, `${payload}/**/`), 'token/malformed'],
    ['a byte order mark', signText(key, header, `\ufeff${payload}`), 'token/malformed'],
    ['an empty header', `.${second}.${third}`, 'token/malformed'],
    ['an empty payload', `${first}..${third}`, 'token/malformed'],
    ['an empty signature', `${first}.${second}.`, 'token/malformed'],
    ['two dots and nothing else', '..', 'token/malformed'],
    ['two parts', `${first}.${second}`, 'token/malformed'],
    ['four parts', `${token}.${third}`, 'token/malformed'],
    ['one more dot', `${token}.`, 'token/malformed'],
    ['RFC 7515 §7.2 JSON serialisation',
      JSON.stringify({ protected: first, payload: second, signature: third }), 'token/malformed'],
    ['a Bearer before it', `Bearer ${token}`, 'token/encoding'],
    ['RFC 7515 §2 padding', `${first}.${second}.${third}==`, 'token/encoding'],
    ['RFC 7515 §2 padding of the header', `${first}==.${second}.${third}`, 'token/encoding'],
    ['RFC 4648 §3.5 bits that encode nothing', `${token.slice(0, -1)}${changedTail(third)}`, 'token/encoding'],
    ['RFC 4648 §3.3 white space around it', ` ${token} `, 'token/encoding'],
    ['RFC 4648 §3.3 a line break in it', `${token.slice(0, 20)}\n${token.slice(20)}`, 'token/encoding'],
    ['RFC 4648 §5 letters that are not for URLs', `${first}.${second}.+/${third.slice(2)}`, 'token/encoding'],
    ['a letter that looks like another', `${first}.${second}.А${third.slice(1)}`, 'token/encoding'],
    ['a letter that is percent-encoded', `${first}.${second}.%41${third.slice(3)}`, 'token/encoding'],
    [
      'a part of a length that nothing encodes to', `${first}${'A'.repeat(5 - first.length % 4)}.${second}.${third}`,
      'token/encoding',
    ],
    ['a changed letter of the payload', `${first}.${swapped(second)}.${third}`, 'token/signature'],
    ['a changed letter of the signature', `${first}.${second}.${flipped}${third.slice(1)}`, 'token/signature'],
  ]
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The last of the 86 letters has four bits that encode nothing. */
const changedTail = (signature: string): string => ALPHABET[ALPHABET.indexOf(signature.at(-1)!) ^ 1]!

/** One letter of the claims is another. */
function swapped(payload: string): string {
  const text = new TextDecoder().decode(fromBase64url(payload))
  return encode(text.replace(/"jti":"./, '"jti":"~'))
}

function sizes(target: Target): readonly Row[] {
  const { tokenCharactersMax: max } = target
  const sized = (characters: number): string => {
    for (let spaces = 0; ; spaces++) {
      const payload = JSON.stringify(target.claims) + ' '.repeat(spaces)
      const input = `${encode(JSON.stringify(headerOf(target)))}.${encode(payload)}`
      const left = characters - input.length - 1
      if (left % 4 !== 1) return `${input}.${'A'.repeat(left)}`
    }
  }
  return [
    ['a token one character below the limit is read', sized(max - 1), 'token/signature'],
    ['a token at the limit is read', sized(max), 'token/signature'],
    ['a token one character above the limit', sized(max + 1), 'token/too-long'],
    ['a token of twice the limit', sized(2 * max), 'token/too-long'],
    [
      'an audience too many', resigned(target, {}, { aud: Array.from({ length: 17 }, (_, at) => `a${at}`) }),
      'token/claims',
    ],
    ['a name a character too long', resigned(target, {}, { sub: 'a'.repeat(129) }), 'token/claims'],
    ['brackets without end', signText(target.key, JSON.stringify(headerOf(target)),
      `{"sub":${'['.repeat(2_000)}${']'.repeat(2_000)}}`), 'token/claims'],
  ]
}

function signatures(target: Target): readonly Row[] {
  const token = resigned(target, {})
  const [first, second, third] = token.split('.') as [string, string, string]
  const right = fromBase64url(third)!
  const withSignature = (bytes: Uint8Array): string => `${first}.${second}.${toBase64url(bytes)}`
  const zero = new Uint8Array(32)
  const pair = (r: Uint8Array, s: Uint8Array): string => withSignature(Uint8Array.of(...r, ...s))
  return [
    ['RFC 8032 §5.1.7 S with the order added', withSignature(signatureWithOrder(right)), 'token/signature'],
    ['RFC 8032 §5.1.7 S of all ones', pair(right.slice(0, 32), zero.map(() => 255)), 'token/signature'],
    ['a signature of zeros', pair(zero, zero), 'token/signature'],
    ...smallOrder.map((point, at): Row =>
      [`RFC 8032 §5.1.3 R of small order or not canonical, ${at}`, pair(point, zero), 'token/signature']),
    ...smallOrder.slice(0, 2).map((point, at): Row =>
      [`R of small order under the right S, ${at}`, pair(point, right.slice(32)), 'token/signature']),
    ['a signature of 63 bytes', withSignature(right.slice(0, 63)), 'token/signature'],
    ['a signature of 65 bytes', withSignature(Uint8Array.of(...right, 0)), 'token/signature'],
    ['a signature of one byte', withSignature(Uint8Array.of(1)), 'token/signature'],
    ['R and S the other way round', pair(right.slice(32), right.slice(0, 32)), 'token/signature'],
  ]
}

function contents(target: Target): readonly Row[] {
  const { key, claims } = target
  const now = claims.iat
  const exp = claims.exp
  const shapes: readonly (readonly [string, object])[] = [
    ['exp absent', { exp: undefined }], ['iat absent', { iat: undefined }], ['jti absent', { jti: undefined }],
    ['sub absent', { sub: undefined }], ['iss absent', { iss: undefined }], ['aud absent', { aud: undefined }],
    ['appid absent', { appid: undefined }], ['epoch absent', { epoch: undefined }],
    ['token_use absent', { token_use: undefined }], ['runtime_type absent', { runtime_type: undefined }],
    ['exp as text', { exp: String(exp) }], ['exp with a fraction', { exp: exp + 0.5 }], ['exp negative', { exp: -1 }],
    ['exp huge', { exp: 1e300 }], ['exp beyond what a number can hold', { exp: 2 ** 60 }], ['exp null', { exp: null }],
    ['exp as an array', { exp: [exp] }], ['iat as text', { iat: String(now) }], ['iat negative', { iat: -1 }],
    ['iat with a fraction', { iat: now - 0.5 }], ['iat in milliseconds of a float', { iat: now * 1e15 }],
    ['§3.9 aud as text', { aud: claims.aud[0] }], ['aud empty', { aud: [] }], ['aud null', { aud: null }],
    ['aud named twice', { aud: [claims.aud[0], claims.aud[0]] }], ['aud with a number', { aud: [claims.aud[0], 1] }],
    ['aud as an object', { aud: { 0: claims.aud[0], length: 1 } }],
    ['aud with a space', { aud: [`${claims.aud[0]} `] }],
    ['sub empty', { sub: '' }], ['sub as a number', { sub: 1 }], ['sub with a line break', { sub: 'alice\nroot' }],
    ['sub with a zero byte', { sub: 'root\0' }], ['sub of look-alike letters', { sub: 'аlice' }],
    ['sub of wide letters', { sub: 'ｒｏｏｔ' }], ['sub with a mark that joins', { sub: 'root\u200d' }],
    ['sub written from right to left', { sub: '\u202etoor' }], ['iss of look-alike letters', { iss: 'verify‐hub' }],
    ['a use that does not exist', { token_use: 'admin' }], ['a use in capitals', { token_use: 'SESSION' }],
    ['a use from the prototype', { token_use: 'constructor' }],
    ['a use from the prototype, again', { token_use: 'toString' }],
    ['two uses', { token_use: ['session', 'root'] }], ['a claim that nobody knows', { admin: true }],
    ['nbf, which no token of ours has', { nbf: now - 1 }], ['a second name for the subject', { userid: 'root' }],
    ['cnf with a key beside the thumbprint', { cnf: { jkt: 'x', jwk: key.public.jwk } }], ['cnf empty', { cnf: {} }],
    ['cnf null', { cnf: null }], ['sid as a number', { sid: 1 }], ['epoch negative', { epoch: -1 }],
    ['epoch as text', { epoch: String(claims.epoch) }],
  ]
  return [
    ...shapes.map(([name, change]): Row => [name, resigned(target, {}, change), 'token/claims']),
    ['exp now', resigned(target, {}, { iat: now - 5, exp: now }), 'token/expired'],
    ['expired ten minutes ago', resigned(target, {}, { iat: now - 900, exp: now - 600 }), 'token/expired'],
    ['expired in 1970', resigned(target, {}, { iat: 0, exp: 1 }), 'token/expired'],
    ['issued ten minutes ahead', resigned(target, {}, { iat: now + 600, exp: now + 900 }), 'token/not-yet-valid'],
    ['issued in the year 2286', resigned(target, {}, { iat: 1e10, exp: 1e10 + 1 }), 'token/not-yet-valid'],
    ['made to live a year', resigned(target, {}, { exp: now + 31_536_000 }), 'token/lifetime'],
    ['exp before iat', resigned(target, {}, { iat: now + 50, exp: now + 40 }), 'token/lifetime'],
    ['an epoch to come', resigned(target, {}, { epoch: claims.epoch + 1 }), 'token/epoch'],
    ['§3.9 another audience', resigned(target, {}, { aud: ['mail'] }), 'token/audience'],
    ['§3.9 audiences that look alike', resigned(target, {}, {
      aud: claims.aud.flatMap((name) => [`${name}2`, name.slice(1), name.toUpperCase()]).slice(0, 16),
    }), 'token/audience'],
    ['no sid where a session is asked for', resigned(target, {}, { sid: undefined }), 'token/session'],
    ['§3.8 another issuer', resigned(target, {}, { iss: 'root' }), 'token/issuer'],
    ['§3.8 an issuer in capitals', resigned(target, {}, { iss: claims.iss.toUpperCase() }), 'token/issuer'],
    ...(Object.keys(tokenTypes) as (keyof typeof tokenTypes)[]).filter((use) => use !== claims.token_use)
      .flatMap((use): readonly Row[] => [
        [`§3.12 a ${claims.token_use} whose typ is of ${use}`, resigned(target, { typ: tokenTypes[use] }), 'token/typ'],
        [`§3.12 a ${claims.token_use} whose claims say ${use}`, resigned(target, {}, { token_use: use }), 'token/typ'],
      ]),
    ['a device document', signDocument(key, 'zw-device+jws', { ...claims }), 'token/typ'],
    ['a user document', signDocument(key, 'zw-user+jws', { name: claims.sub }), 'token/claims'],
  ]
}
