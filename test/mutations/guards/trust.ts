/** Tokens, documents and keys. */
import { guardsOf, type Guard } from '../guard.ts'

export const trust: readonly Guard[] = [
  ...guardsOf('runtime/platform/crypto.ts', 'test/runtime/keys.test.ts',
    [
      'a key is Ed25519', "if (key.asymmetricKeyType !== 'ed25519') {", 'if (false) {',
      'a private key of another kind is refused',
    ],
    [
      'a public key has one spelling', "|| raw.toString('base64url') !== jwk.x", '',
      'a public key that is spelled in another way is refused: it would have another thumbprint',
    ],
  ),
  ...guardsOf('runtime/platform/crypto.ts', 'test/runtime/link-handshake.test.ts',
    [
      'an agreement of zero is refused', 'if (secret.every((byte) => byte === 0)) throw', 'if (false) throw',
      'refuses X25519 keys of low order',
    ],
  ),
  ...guardsOf('runtime/platform/ed25519.ts', 'test/runtime/trust-attacks.test.ts',
    [
      'a key of small order is no key', 'return SMALL_ORDER.has(hex) ||', 'return',
      'a key of small order, for which anybody signs, is no key',
    ],
    [
      'a point has one spelling', '|| NOT_CANONICAL.test(hex)', '',
      'a key of small order, for which anybody signs, is no key',
    ],
  ),
  ...guardsOf('runtime/trust/base64url.ts', 'test/runtime/trust.test.ts',
    [
      'base64url has one spelling', 'if (last < 0 || (last & (tail === 3 ? 0xff : 0xffff)) !== 0) return undefined',
      'if (last < 0) return undefined',
      'base64url has one spelling for each value',
    ],
    [
      'base64url has no other character', 'if (group < 0) return undefined', 'if (false) return undefined',
      'base64url has one spelling for each value',
    ],
    [
      'base64url has no other character at its end', 'if (last < 0 || (last', 'if ((last',
      'base64url has one spelling for each value',
    ],
  ),
  ...guardsOf('runtime/trust/json.ts', 'test/krpc.test.ts',
    [
      'JSON has so many levels and no more', '> depthMax) {', '> Infinity) {',
      'a body that is no envelope is refused in the form of one, and says what is wrong',
    ],
    [
      'JSON is not plain where levels are counted', 'depthMax === Infinity && !', '!',
      'a body that is no envelope is refused in the form of one, and says what is wrong',
    ],
  ),
  ...guardsOf('runtime/trust/json.ts', 'test/runtime/trust.test.ts',
    [
      'JSON of a token names a member once', 'if (names.has(name)) {', 'if (false) {',
      'a member named twice is refused at any depth and however it is spelt',
    ],
    [
      'JSON of a token has no reserved member', 'if (reserved.has(name)) return', 'if (false) return',
      'a member named twice is refused at any depth and however it is spelt',
    ],
    [
      'JSON that reads as it was written may still have a reserved member',
      '&& ![...reserved].some((name) => text.includes(name)) && JSON', '&& JSON',
      'a member named twice is refused at any depth and however it is spelt',
    ],
    [
      'JSON is plain when it reads as it was written', '&& JSON.stringify(value) === text', '',
      'a member named twice is refused at any depth and however it is spelt',
    ],
    [
      'JSON of a token is strict UTF-8', "new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })",
      'new TextDecoder()', 'a member named twice is refused at any depth and however it is spelt',
    ],
  ),
  ...guardsOf('runtime/trust/jws.ts', 'test/runtime/trust-attacks.test.ts',
    ['alg is pinned', 'if (alg !== ALGORITHM) {', 'if (alg === undefined) {', '§3.1 alg as true'],
    [
      'no signature is told from a wrong one', "typeof alg === 'string' && alg.toLowerCase() === 'none'",
      "alg === 'none'", '§2.1 alg nOnE with no signature',
    ],
    [
      'a header has no other member', 'if (Object.keys(header).some((name) => !HEADER_MEMBERS.has(name)))',
      'if (false)', '§3.10 jwk, and its kid',
    ],
    [
      'kid is a thumbprint', "if (typeof kid !== 'string' || !KID.test(kid))", 'if (false)',
      '§3.10 kid "../../../dev/null"',
    ],
    [
      'a key in the header is said to be one', "if (key !== undefined) return fault('header-key'",
      "if (false) return fault('header-key'", '§3.10 jwk, and its kid',
    ],
    ['b64 is told apart', "if (names.includes('b64')) return fault(", 'if (false) return fault(', 'RFC 7797 b64 false'],
    [
      'crit is told apart', "if (names.includes('crit')) return fault(", 'if (false) return fault(',
      'RFC 7515 §4.1.11 crit of exp',
    ],
    [
      'there is a signature', 'if (signature.length === 0) return fault(', 'if (false) return fault(',
      'an empty signature',
    ],
  ),
  ...guardsOf('runtime/trust/jws.ts', 'test/runtime/trust.test.ts',
    [
      'typ is a media type', "if (typeof typ !== 'string' || !TYP.test(typ))", 'if (false)',
      'no refusal tells a part of the token',
    ],
    [
      'a token is no longer than a zone issues', 'if (text.length > charactersMax)', 'if (false)',
      'a token of the allowed length is read, one character more is not',
    ],
    [
      'a token has three parts', 'if (parts.length !== 3)', 'if (parts.length < 3)',
      'a document of another kind, key, content or form is refused',
    ],
  ),
  ...guardsOf('runtime/trust/keys.ts', 'test/runtime/trust.test.ts',
    [
      'a document is of its kind', 'if (header.typ !== rule.typ || isTokenType(rule.typ))', 'if (false)',
      'a document of another kind, key, content or form is refused',
    ],
    [
      'a document is signed by the key that it must be', 'if (!key || key.kid !== header.kid)', 'if (!key)',
      'a document of another kind, key, content or form is refused',
    ],
    [
      'the signature of a document matches', 'if (!key.verify(signingInput, signature))', 'if (false)',
      'a document of another kind, key, content or form is refused',
    ],
    [
      'the content of a document has its shape',
      "if (!content.success) return refuse('document/content', content.issues[0].message)",
      'if (!content.success) return { accepted: true, kid: header.kid, payload: payload as InferOutput<S> }',
      'a document of another kind, key, content or form is refused',
    ],
    [
      'a document has no typ of a token', 'if (isTokenType(typ)) throw', 'if (false) throw',
      'no document can be made that reads as a token, or that is too long to read',
    ],
  ),
  ...guardsOf('runtime/trust/replay.ts', 'test/runtime/replay.test.ts',
    [
      'a token is burned once', 'const { succeeded } = await store.transact([absent], marks)',
      'const { succeeded } = await store.transact([], marks)',
      'an id is fresh once, and another id beside it is fresh too',
    ],
    [
      'what has expired is not burned', 'if (expSeconds <= nowSeconds) return false', '',
      'what has expired is not burned but refused',
    ],
    [
      'what was swept is not new', 'if (expSeconds <= sweptSeconds) return false', '',
      'late marks of expired ids do not take back what was forgotten',
    ],
    [
      'a sweep comes before no burn unseen', 'return succeeded && expSeconds > secondsSwept(await store.get(SWEPT))',
      'return succeeded', 'an id that others burn and forget while a slow caller is at it is not fresh for that caller',
    ],
    [
      'what was swept never goes back', 'const until = Math.max(sweptSeconds, secondsOf(newest.key))',
      'const until = secondsOf(newest.key)', 'late marks of expired ids do not take back what was forgotten',
    ],
  ),
  ...guardsOf('runtime/trust/token.ts', 'test/runtime/trust-attacks.test.ts',
    ['no claim is absent', 'return `${name} is absent`', 'continue', 'sub absent'],
  ),
  ...guardsOf('runtime/trust/token.ts', 'test/runtime/trust.test.ts',
    [
      'there is no claim besides ours',
      "return Object.keys(payload).length === found ? undefined : 'there is a claim besides ours'",
      'return undefined', 'what signToken would make unreadable it refuses',
    ],
    [
      'a token that is signed is one that can be read', 'if (problem) throw new InvalidArgument(`The claims',
      'if (false) throw new InvalidArgument(`The claims', 'what signToken would make unreadable it refuses',
    ],
  ),
  ...guardsOf('runtime/trust/verify.ts', 'test/runtime/trust-attacks.test.ts',
    ['typ names the use', 'if (header.typ !== tokenTypes[use])', 'if (false)', '§3.11 typ "zw-refresh+jwt"'],
    ['a key signs for its issuer only', 'if (key.issuer !== claims.iss)', 'if (false)', '§3.8 another issuer'],
    ['a token is of this epoch', 'if (claims.epoch !== policy.epoch)', 'if (false)', 'an epoch to come'],
    [
      'a token ends after it begins', 'exp > iat && exp - iat <= lifetimeSecondsMax', 'exp - iat <= lifetimeSecondsMax',
      'exp before iat',
    ],
    [
      'a session is of a login', 'holds: ({ requireSession }, { sid }) => !requireSession || sid !== undefined',
      'holds: () => true', 'no sid where a session is asked for',
    ],
  ),
  ...guardsOf('runtime/trust/verify.ts', 'test/runtime/trust.test.ts',
    [
      'every claim has its shape', "if (problem) return refuse('token/claims', problem)", '',
      'nothing is burned by a token that is refused for another reason',
    ],
    [
      'a verifier takes only the uses of its rules', 'policy.rules.filter((rule) => rule.tokenUse === use)',
      '[...policy.rules]', 'no key is looked up for a use that no rule accepts',
    ],
    [
      'the key is the one of this kid',
      'const verifier = key && key.kid === header.kid ? verifyKey(policy.keys, key.jwk) : undefined\n'
        + '  if (!key || verifier?.kid !== header.kid) {',
      'const verifier = key && verifyKey(policy.keys, key.jwk)\n  if (!key || !verifier) {',
      'without a key the lookup of no other issuer is asked, and a key under a wrong kid is not taken',
    ],
    [
      'the kid is that of the key itself', 'if (!key || verifier?.kid !== header.kid) {', 'if (!key || !verifier) {',
      'without a key the lookup of no other issuer is asked, and a key under a wrong kid is not taken',
    ],
    [
      'a key signs for the reason it is trusted for',
      'opened.rules.filter((rule) => rule.keyReasons.some((pattern) => reasonMatches(pattern, key)))',
      '[...opened.rules]', 'a pattern of key reasons matches one segment, which names the issuer',
    ],
    [
      'a key of a name is of that issuer',
      "return reason === `${pattern.slice(0, star)}${issuer}${pattern.slice(star + 1)}` && !issuer.includes('/')",
      'return reason.startsWith(pattern.slice(0, star)) && reason.endsWith(pattern.slice(star + 1))',
      'a pattern of key reasons matches one segment, which names the issuer',
    ],
    [
      'the signature matches', 'if (!verifier.verify(opened.signingInput, opened.signature))', 'if (false)',
      'nothing is burned by a token that is refused for another reason',
    ],
    ['a token is not from the future', 'if (skewSeconds > SKEW_SECONDS_MAX)', 'if (false)', 'skew is told in seconds'],
    [
      'a token has not expired', 'if (claims.exp <= now)', 'if (false)',
      'nothing is burned by a token that is refused for another reason',
    ],
    [
      'expiry has no grace', 'if (claims.exp <= now)', 'if (claims.exp < now)',
      'nothing is burned by a token that is refused for another reason',
    ],
    [
      'a token lives no longer than its use allows', 'exp > iat && exp - iat <= lifetimeSecondsMax', 'exp > iat',
      'each condition of a rule refuses alone',
    ],
    [
      'refused issuers are refused',
      'holds: ({ issuersRefused }, { iss }) => !issuersRefused?.some((name) => nameMatches(name, iss))',
      'holds: () => true', 'each condition of a rule refuses alone',
    ],
    [
      'refused subjects are refused', 'if (rule.subjectsRefused?.some((name) => nameMatches(name, sub))) return false',
      '', 'each condition of a rule refuses alone',
    ],
    [
      'a subject is the one of the rule',
      "return rule.subject === 'issuer' ? sub === iss : rule.subject.is.includes(sub)", 'return true',
      'each condition of a rule refuses alone',
    ],
    [
      'a token names its verifier', 'return (!rule.audience && !rule.audienceAlone) || aud.includes(audience)',
      'return true', 'nothing is burned by a token that is refused for another reason',
    ],
    [
      'a token that may name one verifier names one', 'if (rule.audienceAlone && aud.length !== 1) return false', '',
      'each condition of a rule refuses alone',
    ],
    [
      'a runtime type is one of the rule', '!runtimeTypes || runtimeTypes.includes(claims.runtime_type)',
      'true || (runtimeTypes ?? []).includes(claims.runtime_type)', 'each condition of a rule refuses alone',
    ],
    [
      'a token that is good once needs a ledger',
      "if (!policy.burn) return refuse('token/replay-unchecked', 'no ledger of used tokens is at hand', "
        + 'verdict.rule.id)',
      'if (!policy.burn) return verdict', 'a token that may be used once gets in once, and nowhere without a ledger',
    ],
    [
      'a token that is good once is not checked without a ledger',
      "  if (!verdict.accepted || !verdict.rule.once) return verdict\n  return refuse('token/replay-unchecked'",
      "  if (!verdict.accepted || verdict.rule.once) return verdict\n  return refuse('token/replay-unchecked'",
      'a token that may be used once gets in once, and nowhere without a ledger',
    ],
    [
      'a used token is refused', 'return fresh === true ? verdict :', 'return fresh !== undefined ? verdict :',
      'a token that may be used once gets in once, and nowhere without a ledger',
    ],
    [
      'only a rule that asks for a session gives one',
      'const session = rule.requireSession && sid !== undefined ? { sid } : {}',
      'const session = sid !== undefined ? { sid } : {}',
      'a principal is what the claims say, and has a session only by a rule that asks for one',
    ],
  ),
]
