import type { SigningKey } from '../platform/ports.ts'
import { fromBase64url, toBase64url } from './base64url.ts'
import { parseObject } from './json.ts'
import type { TokenHeader } from './token.ts'

/** The one algorithm: an Ed25519 key signs nothing else (RFC 8037 §3.1; RFC 8725 §3.1 pins it per key). */
export const ALGORITHM = 'EdDSA'

/** Any other member is refused; with it go `crit`, `b64`, `zip` and every way to bring or point to a key. */
const HEADER_MEMBERS: ReadonlySet<string> = new Set(['alg', 'typ', 'kid'])
const KID = /^[A-Za-z0-9_-]{43}$/
const TYP = /^[a-z0-9][a-z0-9.+-]{0,63}$/

export interface ParsedJws {
  readonly header: TokenHeader
  readonly payload: Readonly<Record<string, unknown>>
  /** What the signature covers: ASCII of both encoded parts and the dot (RFC 7515 §5.2). */
  readonly signingInput: Uint8Array
  readonly signature: Uint8Array
}

/** Each is an attack, or a mistake of who signs, that a reader wants to tell from the others. */
export type JwsFault =
  | 'too-long' | 'malformed' | 'encoding' | 'duplicate' | 'alg-none' | 'alg' | 'b64' | 'crit' | 'header-key' | 'header'
  | 'typ' | 'kid'

/** RFC 7515 §4.1: members that bring a key, or say where one is. */
const KEY_MEMBERS: ReadonlySet<string> = new Set(['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256'])

export type JwsResult =
  | { readonly jws: ParsedJws }
  | { readonly fault: JwsFault; readonly detail: string }

const encoder = new TextEncoder()

/** RFC 7515 §3.1 compact serialisation. */
export function signCompact(key: SigningKey, typ: string, payload: object): string {
  const header: TokenHeader = { alg: ALGORITHM, typ, kid: key.public.kid }
  const input = `${encodeJson(header)}.${encodeJson(payload)}`
  return `${input}.${toBase64url(key.sign(encoder.encode(input)))}`
}

const encodeJson = (value: object): string => toBase64url(encoder.encode(JSON.stringify(value)))

/** Reads the form only: nothing in the result is true until its signature is checked. */
export function parseCompact(text: string, charactersMax: number): JwsResult {
  if (typeof text !== 'string') return fault('malformed', 'it is not text')
  if (text.length > charactersMax) return fault('too-long', `${text.length} characters, at most ${charactersMax}`)
  const parts = text.split('.', 4)
  if (parts.length !== 3) return fault('malformed', 'it does not have three parts')
  const [first, second, third] = parts as [string, string, string]
  const header = headerOf(first)
  if ('fault' in header) return header
  const payload = decodeObject(second, 'payload')
  if ('fault' in payload) return payload
  const signature = fromBase64url(third)
  if (!signature) return fault('encoding', 'the signature is not strict base64url')
  if (signature.length === 0) return fault('malformed', 'there is no signature')
  const signingInput = encoder.encode(text.slice(0, first.length + 1 + second.length))
  return { jws: { header: header.value, payload: payload.value, signingInput, signature } }
}

/** Of tokens by the same key and for the same use they are the same text. Only those that are good are kept. */
const headers = new Map<string, { readonly value: TokenHeader }>()
const HEADERS = 64

function headerOf(part: string): { readonly value: TokenHeader } | Fault {
  const known = headers.get(part)
  if (known) return known
  const decoded = decodeObject(part, 'header')
  if ('fault' in decoded) return decoded
  const problem = headerProblem(decoded.value)
  if (problem) return problem
  const { typ, kid } = decoded.value as unknown as TokenHeader
  const header = { value: { alg: ALGORITHM, typ, kid } }
  if (headers.size >= HEADERS) headers.delete(headers.keys().next().value!)
  headers.set(part, header)
  return header
}

type Members = Readonly<Record<string, unknown>>
interface Fault { readonly fault: JwsFault; readonly detail: string }

function headerProblem(header: Members): Fault | undefined {
  const { alg, typ, kid } = header
  if (alg !== ALGORITHM) {
    const unsigned = typeof alg === 'string' && alg.toLowerCase() === 'none'
    return fault(unsigned ? 'alg-none' : 'alg', `only ${ALGORITHM} is accepted`)
  }
  if (Object.keys(header).some((name) => !HEADER_MEMBERS.has(name))) return otherMember(header)
  if (typeof typ !== 'string' || !TYP.test(typ)) return fault('typ', 'typ is absent or not a media type')
  if (typeof kid !== 'string' || !KID.test(kid)) return fault('kid', 'kid is absent or not a thumbprint')
  return undefined
}

/** What the first of them would do that we could be made to do. */
function otherMember(header: Members): Fault {
  const names = Object.keys(header)
  if (names.includes('b64')) return fault('b64', 'the header has b64')
  if (names.includes('crit')) return fault('crit', 'the header has crit')
  const key = names.find((name) => KEY_MEMBERS.has(name))
  if (key !== undefined) return fault('header-key', `the header has ${key}`)
  return fault('header', 'the header has a member besides alg, typ and kid')
}

function decodeObject(part: string, name: string): { readonly value: Members } | Fault {
  const bytes = fromBase64url(part)
  if (!bytes) return fault('encoding', `the ${name} is not strict base64url`)
  const parsed = parseObject(bytes)
  if ('value' in parsed) return parsed
  // Not what the fault says of it: it holds names of the token
  return parsed.twice ? fault('duplicate', `the ${name} names a member twice`)
    : fault('malformed', `the ${name} is not one JSON object in strict UTF-8`)
}

const fault = (fault: JwsFault, detail: string): Fault => ({ fault, detail })
