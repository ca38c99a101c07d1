import type { SigningKey } from '../../runtime/platform/ports.ts'
import type { SeededRandom } from '../../runtime/sim/random.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import { tokenTypes } from '../../runtime/trust/token.ts'
import { signatureWithOrder } from '../attack-parts.ts'
import { claims, goodHeader, hub, now, signParts, stranger } from './trust-fixture.ts'

/** Ways to change a token. Each draws one; many of what they make is still a good token. */
export interface Mutator {
  readonly kind: string
  /** How often it is drawn beside the others. */
  readonly weight: number
  readonly draw: () => string
}

const ALPHABET = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
const ODD = [...'=+/.~ \t\n%"{}', '\u0000', 'é', 'А', '\u{1F600}']
const encoder = new TextEncoder()

export function mutators(random: SeededRandom): readonly Mutator[] {
  const below = (limit: number): number => random.word() % limit
  const pick = <T>(items: readonly T[]): T => items[below(items.length)]!
  const key = (): SigningKey => (below(10) === 0 ? stranger : hub)
  const spliced = (text: string, at: number, cut: number, by: string): string =>
    text.slice(0, at) + by + text.slice(at + cut)
  /** Some within and some just beyond what the verifier accepts. */
  const varied = (): Record<string, unknown> => ({
    ...claims,
    iss: below(40) === 0 ? pick(['root', 'verify-hub2', 'Verify-Hub']) : 'verify-hub',
    sub: pick(['alice', 'bob', 'ood1']),
    aud: below(24) === 0 ? ['mail', 'photo'] : pick([['photos'], ['mail', 'photos'], ['photos', 'mail', 'notes']]),
    iat: now - 300 + below(300),
    exp: now + (below(16) === 0 ? pick([-100, -1, 0]) : pick([1, 2, 100, 200, 300, 400, 500, 550])),
    jti: `j-${random.word()}`,
  })
  const sign = (payload: object, header: object = goodHeader, by: SigningKey = hub): string =>
    signParts(JSON.stringify(header), JSON.stringify(payload), by)
  const good = (): string => sign(varied())
  const parts = (token: string): [string, string, string] => token.split('.') as [string, string, string]

  const values: readonly unknown[] = [
    null, true, false, 0, 1, -1, 1.5, 2 ** 53, 1e308, '', 'x', 'alice', 'root', 'photos', 'a b', 'ä', 'x'.repeat(129),
    [], {}, ['photos'], ['photos', 'photos'], ['photos', 1], { jkt: stranger.public.kid }, { jkt: 'a', b: 1 }, now,
    now - 1, now + 1, now + 59, now + 61, now + 600, now + 900, now + 100_000, 3, 4, 'session', 'refresh', 'root',
  ]
  const names = [...Object.keys(claims), 'cnf', 'nbf', 'admin', 'scope', 'constructor', 'toString', 'SUB', 'userid']
  const changed = (): Record<string, unknown> => {
    const payload = varied()
    for (let times = 1 + below(2); times > 0; times--) payload[pick(names)] = pick(values)
    return payload
  }
  const headerMembers = [
    'alg', 'typ', 'kid', 'jwk', 'jku', 'x5u', 'x5c', 'x5t', 'cty', 'zip', 'crit', 'b64', 'enc', 'x',
  ]
  const headerValues: readonly unknown[] = [
    'EdDSA', 'none', 'None', 'HS256', 'ES256', 'Ed25519', 'JWT', ...Object.values(tokenTypes), 'ZW-SESSION+JWT',
    'application/zw-session+jwt', hub.public.kid, stranger.public.kid, 'x', '', null, true, false, 1, [], ['b64'],
    ['exp'], hub.public.jwk, {}, 'https://example.com/k',
  ]
  const headerChanged = (): Record<string, unknown> => {
    const header: Record<string, unknown> = { ...goodHeader }
    for (let times = 1 + below(2); times > 0; times--) header[pick(headerMembers)] = pick(headerValues)
    return header
  }
  /** One letter of a text becomes another, or two change places, or one goes, or one comes. */
  const smudged = (text: string, letters: readonly string[]): string => {
    const at = below(text.length)
    switch (below(4)) {
      case 0: return spliced(text, at, 1, pick(letters))
      case 1: return spliced(text, at, 2, `${text[at + 1] ?? ''}${text[at]}`)
      case 2: return spliced(text, at, 1, '')
      default: return spliced(text, at, 0, pick(letters))
    }
  }
  const visible = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at))
  /** The same JSON for every parser, written in another way. */
  const respelled = (value: object): string => {
    const entries = Object.entries(value)
    for (let at = entries.length - 1; at > 0; at--) {
      const other = below(at + 1)
      ;[entries[at], entries[other]] = [entries[other]!, entries[at]!]
    }
    const space = pick(['', ' ', '\n', '\t', '  '])
    const name = (text: string): string => (below(4) === 0
      ? `"\\u${text.charCodeAt(0).toString(16).padStart(4, '0')}${text.slice(1)}"` : JSON.stringify(text))
    return `${space}{${entries.map(([key, each]) =>
      `${space}${name(key)}${space}:${space}${JSON.stringify(each)}`).join(',')}${space}}${space}`
  }
  const signatureChanged = (token: string): string => {
    const [first, second, third] = parts(token)
    const bytes = fromBase64url(third)!.slice()
    const kinds: readonly (() => Uint8Array)[] = [
      () => { bytes[below(64)]! ^= 1 << below(8); return bytes },
      () => signatureWithOrder(bytes),
      () => bytes.slice(0, below(64)),
      () => Uint8Array.of(...bytes, below(256)),
      () => Uint8Array.of(...bytes.slice(32), ...bytes.slice(0, 32)),
      () => bytes.fill(0, 0, 32),
      () => bytes.fill(pick([0, 255]), 32),
      () => bytes.reverse(),
    ]
    return `${first}.${second}.${toBase64url(pick(kinds)())}`
  }
  const reencoded = (token: string): string => {
    const which = below(3)
    const text = parts(token)
    const part = text[which]!
    const last = ALPHABET.indexOf(part.at(-1)!)
    text[which] = pick([
      () => `${part}${pick(['=', '==', ' ', '\n', 'A'])}`,
      () => part.replaceAll('-', '+').replaceAll('_', '/'),
      () => spliced(part, below(part.length), 0, pick([' ', '\n', '\r\n', '\t', '=', '\u0000', '.'])),
      () => part.slice(0, -1) + ALPHABET[last ^ (1 + below(15))]!,
      () => part.slice(0, -1) + ALPHABET[last ^ 1]!,
      () => [...part].map((letter) => (below(20) === 0 ? `%${letter.charCodeAt(0).toString(16)}` : letter)).join(''),
    ])()
    return text.join('.')
  }
  /** Bytes that are no text, or no JSON, under a right signature. */
  const bytesSigned = (): string => {
    const bytes = encoder.encode(JSON.stringify(varied()))
    for (let times = 1 + below(2); times > 0; times--) bytes[below(bytes.length)] = below(256)
    const input = `${toBase64url(encoder.encode(JSON.stringify(goodHeader)))}.${toBase64url(bytes)}`
    return `${input}.${toBase64url(hub.sign(encoder.encode(input)))}`
  }
  const twice = (text: string, member: string): string => text.replace('{', `{${member},`)
  const membersTwice = ['"sub":"root"', '"exp":1', '"\\u0073ub":"root"', '"x":1,"x":2', '"__proto__":{"sub":"root"}']
  const crossed = (): string => {
    const two = [parts(good()), parts(sign(varied(), goodHeader, key()))]
    return [0, 1, 2].map((part) => pick(two)[part]).join('.')
  }

  const rows: readonly (readonly [kind: string, weight: number, draw: () => string])[] = [
    ['claims within and beyond', 20, good],
    ['written in another way, then signed', 10, () => signParts(respelled(goodHeader), respelled(varied()))],
    ['a claim changed, then signed', 14, () => sign(changed())],
    ['a claim taken out, then signed', 5, () => {
      const payload = varied()
      delete payload[pick(Object.keys(claims))]
      return sign(payload)
    }],
    ['a header member changed, then signed', 10, () => sign(varied(), headerChanged())],
    ['a header member taken out, then signed', 2, () =>
      sign(varied(), { ...goodHeader, [pick(headerMembers)]: undefined })],
    ['JSON of the payload smudged, then signed', 10, () =>
      signParts(JSON.stringify(goodHeader), smudged(JSON.stringify(varied()), visible))],
    ['JSON of the header smudged, then signed', 6, () =>
      signParts(smudged(JSON.stringify(goodHeader), visible), JSON.stringify(varied()))],
    ['bytes of the payload changed, then signed', 4, bytesSigned],
    ['a member named twice, then signed', 3, () => (below(2) === 0
      ? signParts(JSON.stringify(goodHeader), twice(JSON.stringify(varied()), pick(membersTwice)))
      : signParts(twice(JSON.stringify(goodHeader), pick(['"alg":"none"', '"kid":"x"'])), JSON.stringify(varied())))],
    ['by another key', 3, () => sign(varied(), { ...goodHeader, kid: pick([hub, stranger]).public.kid }, key())],
    ['letters of the token changed', 10, () => smudged(good(), ALPHABET)],
    ['odd letters in the token', 3, () => smudged(good(), ODD)],
    ['cut', 4, () => {
      const token = good()
      const at = below(token.length)
      return pick([token.slice(0, at), token.slice(at), spliced(token, at, 1 + below(40), '')])
    }],
    ['parts of two tokens', 3, crossed],
    ['encoded in another way', 4, () => reencoded(good())],
    ['another signature', 4, () => signatureChanged(good())],
  ]
  return rows.map(([kind, weight, draw]) => ({ kind, weight, draw }))
}
