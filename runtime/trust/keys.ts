import { safeParse, type GenericSchema, type InferOutput } from 'valibot'
import { InvalidArgument } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Keys, PublicJwk, SigningKey, VerifyKey } from '../platform/ports.ts'
import { toBase64url } from './base64url.ts'
import type { Denial, DenialReason } from './denial.ts'
import { parseCompact, signCompact, type JwsResult } from './jws.ts'
import { tokenTypes, type TrustKey } from './token.ts'

/** RFC 7638 §3 with the members of RFC 8037 §2: in lexicographic order, no white space. */
export function thumbprint(keys: Keys, jwk: PublicJwk): string {
  const canonical = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x })
  return toBase64url(keys.hash(new TextEncoder().encode(canonical)))
}

/** @throws InvalidArgument when `jwk` is not an Ed25519 public key */
export function trustKeyOf(keys: Keys, jwk: PublicJwk, reason: string, issuer: string): TrustKey {
  const { kid, jwk: checked } = keys.importJwk(jwk)
  return { kid, jwk: checked, reason, issuer }
}

/**
 * A signed record such as a device document. Its `typ` keeps it from being taken for another kind, or for a token that
 * the same key signs.
 * @throws InvalidArgument when `typ` is that of a token, or the result would be too long to be read again
 */
export function signDocument(key: SigningKey, typ: string, payload: object): string {
  if (isTokenType(typ)) throw new InvalidArgument(`A document cannot have the typ of a token: ${typ}`)
  const text = signCompact(key, typ, payload)
  if (text.length > limits.document) {
    throw new InvalidArgument(`The document is longer than ${limits.document} characters: ${text.length}`)
  }
  return text
}

export interface DocumentRule<S extends GenericSchema> {
  readonly typ: string
  /** Says what the content must be; a loose object keeps the fields that it does not name. */
  readonly schema: S
  /** The only key that may have signed it; of one that many are judged by, as it was imported. */
  readonly key?: PublicJwk
  readonly by?: VerifyKey | undefined
  /** Or the key of this `kid`, if any. */
  readonly lookup?: (kid: string) => PublicJwk | undefined
}

export type DocumentVerdict<S extends GenericSchema> =
  | { readonly accepted: true; readonly kid: string; readonly payload: InferOutput<S> }
  | { readonly accepted: false; readonly denial: Denial }

/** As strict as a token: same form, pinned algorithm, pinned `typ`, known key, and content of the expected shape. */
export function verifyDocument<S extends GenericSchema>(
  keys: Keys, text: string, rule: DocumentRule<S>,
): DocumentVerdict<S> {
  return verifyParsed(keys, parseCompact(text, limits.document), rule)
}

/** The same of a text that was read already, by `parseCompact`, since more than one key may have signed it. */
export function verifyParsed<S extends GenericSchema>(
  keys: Keys, parsed: JwsResult, rule: DocumentRule<S>,
): DocumentVerdict<S> {
  const refuse = (reason: DenialReason, detail: string): DocumentVerdict<S> =>
    ({ accepted: false, denial: { layer: 'link', reason, rule: rule.typ, detail } })
  if ('fault' in parsed) return refuse('document/malformed', parsed.detail)
  const { header, payload, signingInput, signature } = parsed.jws
  if (header.typ !== rule.typ || isTokenType(rule.typ)) return refuse('document/typ', `typ ${header.typ}`)
  const jwk = rule.key ?? rule.lookup?.(header.kid)
  const key = rule.by ?? (jwk && importedKey(keys, jwk))
  if (!key || key.kid !== header.kid) return refuse('document/unknown-key', `kid ${header.kid}`)
  if (!key.verify(signingInput, signature)) return refuse('document/signature', `kid ${header.kid}`)
  const content = safeParse(rule.schema, payload)
  if (!content.success) return refuse('document/content', content.issues[0].message)
  return { accepted: true, kid: header.kid, payload: content.output }
}

/** A key that was read from an unchecked document may be no key at all. */
export function importedKey(keys: Keys, jwk: PublicJwk): VerifyKey | undefined {
  try {
    return keys.importJwk(jwk)
  } catch {
    return undefined
  }
}

const isTokenType = (typ: string): boolean => Object.values(tokenTypes).includes(typ)
