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

export type JwsFault = 'too-long' | 'malformed' | 'header' | 'alg'

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
  const header = decodeObject(first)
  if (!header) return fault('malformed', 'the header is not strict base64url of one JSON object')
  const problem = headerProblem(header)
  if (problem) return problem
  const payload = decodeObject(second)
  if (!payload) return fault('malformed', 'the payload is not strict base64url of one JSON object')
  const signature = fromBase64url(third)
  if (!signature || signature.length === 0) return fault('malformed', 'the signature is not strict base64url')
  const { typ, kid } = header as unknown as TokenHeader
  return {
    jws: {
      header: { alg: ALGORITHM, typ, kid },
      payload,
      signingInput: encoder.encode(`${first}.${second}`),
      signature,
    },
  }
}

function headerProblem(header: Readonly<Record<string, unknown>>): { fault: JwsFault; detail: string } | undefined {
  if (header['alg'] !== ALGORITHM) return fault('alg', `only ${ALGORITHM} is accepted`)
  if (Object.keys(header).some((name) => !HEADER_MEMBERS.has(name))) {
    return fault('header', 'the header has a member besides alg, typ and kid')
  }
  const { typ, kid } = header
  if (typeof typ !== 'string' || !TYP.test(typ)) return fault('header', 'typ is absent or not a media type')
  if (typeof kid !== 'string' || !KID.test(kid)) return fault('header', 'kid is absent or not a thumbprint')
  return undefined
}

function decodeObject(part: string): Readonly<Record<string, unknown>> | undefined {
  const bytes = fromBase64url(part)
  return bytes && parseObject(bytes)
}

const fault = (fault: JwsFault, detail: string): { fault: JwsFault; detail: string } => ({ fault, detail })
