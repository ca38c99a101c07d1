/** What the vault certifies, by whom it is signed, and what is kept and told of it. */
import { guardsOf, type Guard } from '../guard.ts'

const roles = 'test/actors/pki-roles.test.ts'
const requests = 'test/actors/pki-requests.test.ts'
const rotation = 'test/actors/pki-rotation.test.ts'
const revocation = 'test/actors/pki-revocation.test.ts'
const http = 'test/actors/pki-http.test.ts'
const zoneRoles = 'test/actors/pki-zone-roles.test.ts'
const authorities = 'test/actors/pki-http-authorities.test.ts'

const nobodyElse = 'nobody is certified as somebody else of the zone, by no role and on no way'
const domains = 'a name is allowed as bare domain, subdomain, glob, localhost or any, and not one label beside'
const refusesAll = 'what a role allows is certified, and one name outside refuses the whole request'
const usages = 'usages are those of the flags and lists of the role, without what the key cannot do'
const outOfOrder = 'a step out of order is refused, names the step that is due, and changes nothing'
const rootSet = 'the root set is signed by the anchor, has a version for each change, and a new one in time'

export const pki: readonly Guard[] = [
  ...guardsOf('actors/vault/pki/role-names.ts', roles,
    ['a mail address has one host', 'parts.length > 2 ||', '', domains],
    ['a wildcard needs to be allowed', '!role.allow_wildcard_certificates ||', '', domains],
    ['a star is a whole label', "|| !host.startsWith('*.')", '', domains],
    [
      'a name is a host name', 'if (role.enforce_hostnames && !isHostname(host.toLowerCase())) return false', '',
      domains,
    ],
    ['localhost needs to be allowed', 'if (!role.allow_localhost) return false', '', domains],
    ['a bare domain needs to be allowed', 'if (role.allow_bare_domains && (', 'if ((', domains],
    ['a subdomain needs to be allowed', 'if (role.allow_subdomains && (askedHost', 'if ((askedHost', domains],
    ['a subdomain begins at a dot', 'askedHost.endsWith(`.${domain}`)', 'askedHost.endsWith(domain)', domains],
    ['a glob needs to be allowed', 'role.allow_glob_domains && domain', 'domain', domains],
    [
      'the ends of a glob do not overlap', 'text.length < first.length + last.length || ', '',
      'a glob takes what its parts allow, in their order and once',
    ],
  ),
  ...guardsOf('actors/vault/pki/wish.ts', roles,
    ['a DNS name is one of the role', 'if (!allowsName(role, value)) throw', 'if (!value) throw', refusesAll],
    [
      'an address needs to be allowed', 'if (!role.allow_ip_sans) throw', 'if (!value) throw',
      'IP addresses are allowed or not',
    ],
    [
      'a URI is one of the role', 'if (foreign || !allowsUri(role, value)) {', 'if (foreign) {',
      'URIs are those of the patterns of the role',
    ],
    [
      'a common name is one of the role', 'if (commonName !== own && !allowsName(role, commonName)) {', 'if (false) {',
      refusesAll,
    ],
    [
      'a common name is asked for',
      "if (role.require_cn) throw refused('common-name', 'The role asks for a common name')",
      '', 'a common name is asked for, or not',
    ],
  ),
  ...guardsOf('actors/vault/pki/wish.ts', zoneRoles,
    ['an identity is given by the roles of the zone', 'if (foreign || ', 'if (', nobodyElse],
    [
      'a host speaks for itself', 'if (value === own) return\n', "if (value.startsWith('spiffe:')) return\n",
      nobodyElse,
    ],
    [
      'a token is no host', 'if (peer === undefined) {\n',
      'if (peer === undefined) return { kind, name: given! }\n    if (false) {\n', nobodyElse,
    ],
    [
      'an identity has a name', 'if (given === undefined || !isName(given)) {', 'if (given === undefined) {',
      nobodyElse,
    ],
  ),
  ...guardsOf('actors/vault/pki/terms.ts', roles,
    [
      'a key is of the type of the role', "if (wanted !== 'any' && wanted !== kind) {", 'if (false) {',
      'a key is of the type and at least of the size that the role asks for',
    ],
    [
      'a key has the size of the role', "wanted !== 'ed25519' && size < least", "wanted !== 'ed25519' && false",
      'a key is of the type and at least of the size that the role asks for',
    ],
    [
      'a certificate lives no longer than the role allows', 'const seconds = Math.min(asked, most)',
      'const seconds = asked',
      'a ttl is the role\'s when none is asked for, and what is over its longest is cut, with a warning',
    ],
    [
      'a certificate ends before its authority', 'if (end.notAfter <= authorityEnd) return', 'if (authorityEnd) return',
      'a certificate that would outlive its authority is an error, and cut where the issuer says so',
    ],
    [
      'a skew is short', 'Math.min(Math.max(0, skewMs), limits.vaultSkewMs)', 'skewMs',
      'notBefore is before now by what the role says, and by the skew of the asker up to ten minutes more',
    ],
    ['a server\'s purpose is the role\'s', "if (role.server_flag) extended", 'extended', usages],
    ['a client\'s purpose is the role\'s', "if (role.client_flag) extended", 'extended', usages],
  ),
  ...guardsOf('actors/vault/pki/role.ts', roles,
    [
      'what is not enforced cannot be set', 'else if (!unsupported[name]!.includes(',
      'else if (name === \'\' && !unsupported[name]!.includes(',
      'a role that makes no sense, or that would not be enforced, cannot be written',
    ],
    [
      'a role makes sense', '  checkRole(role)\n', '',
      'a role that makes no sense, or that would not be enforced, cannot be written',
    ],
  ),
  ...guardsOf('actors/vault/pki/role-store.ts', zoneRoles, [
    'the roles of the zone stay as they are', 'if (own(name)) throw new InvalidArgument',
    'if (false) throw new InvalidArgument',
    'the roles of the zone are its own: they are not written, and not removed',
  ]),
  ...guardsOf('actors/vault/pki/issue.ts', requests,
    [
      'a request is signed by its key', 'return { request, key: request.verify(keys.certificates) }',
      'return { request, key: keys.certificates.importSpki(request.spki) }',
      'a request that was changed anywhere is refused, and nothing is kept of it',
    ],
    [
      'a role certifies no authority', 'if (request.asksForAuthority) {', 'if (false) {',
      'a request for an authority is refused, however it asks',
    ],
  ),
  ...guardsOf('actors/vault/pki/issue.ts', authorities,
    [
      'the path below an authority is as long as it says', 'if (ca?.pathLength === 0) throw', 'if (false) throw',
      'an intermediate is made here and signed there, and its certificates are good',
    ],
  ),
  ...guardsOf('actors/vault/pki/issue.ts', http,
    [
      'only what was signed here is taken in', '&& certificate.verify(one.key.public))', ')',
      'what nothing was kept of is revoked by itself, if it is of this mount, and by who has its key',
    ],
  ),
  ...guardsOf('actors/vault/pki/keep.ts', requests,
    [
      'a serial is given once', '{ key: path, modRevision: 0 }, authorities', 'authorities',
      'a serial that exists is never given a second time',
    ],
    [
      'a certificate is kept before it is answered',
      'if (await barrier.commit(guards, [{ path, value }], more)) return issued',
      'void barrier.commit(guards, [{ path, value }], more).catch(() => {})\n    if (issued) return issued',
      'a certificate is in the store before it is answered, and a store that fails gives none',
    ],
  ),
  ...guardsOf('actors/vault/pki/keep.ts', rotation, [
    'who is tainted signs no more', ', authorities.guard(book)]', ']',
    'a tainted authority signs no more, also for a process that has not heard of it',
  ]),
  ...guardsOf('actors/vault/pki/rotation.ts', rotation,
    [
      'an authority that waits is not tainted', "if (target.state === 'next') throw outOfOrder(`The authority does",
      "if (false) throw outOfOrder(`The authority does", outOfOrder,
    ],
    ['one that signs is left', 'if (newest(book, target.kind) === target) {', 'if (false) {', outOfOrder],
    ['what signs is not revoked', "if (target.state !== 'tainted') {", 'if (false) {', outOfOrder],
    [
      'certificates keep their authority', 'if (left > 0) {', 'if (false) {',
      'an authority whose certificates have not ended is revoked only when that is said aloud',
    ],
    [
      'a new root is crossed by the old one', "target.kind === 'root' ? crossSign(given, book, target) : []", '[]',
      'while a root is rotated nobody is cut off: with the old set, with both, with the new one',
    ],
    [
      'nothing is crossed by who is revoked', '!ids.has(signedBy)', 'true',
      'while a root is rotated nobody is cut off: with the old set, with both, with the new one',
    ],
    [
      'authorities are made once', 'if (book.authorities.length > 0) return undefined', '',
      'authorities are made once: by a retry, by two at once, and after a restart',
    ],
    [
      'of a revoked authority no key is left', "{ state: 'revoked', key: null, crossSigned: [] }",
      "{ state: 'revoked', crossSigned: [] }",
      'each step of an intermediate does what it says, and again it changes nothing',
    ],
  ),
  ...guardsOf('actors/vault/pki/book.ts', rotation,
    [
      'who is revoked is no root', "kind === 'root' && state !== 'revoked'", "kind === 'root' && state !== undefined",
      'while a root is rotated nobody is cut off: with the old set, with both, with the new one',
    ],
    [
      'of two that change authorities one begins anew', 'barrier.commit([guard(book), ...guards]',
      'barrier.commit([...guards]',
      'authorities are made once: by a retry, by two at once, and after a restart',
    ],
  ),
  ...guardsOf('actors/root-set.ts', rotation,
    ['a root set is of this zone', 'set.zone !== zone ?', 'set.zone === undefined ?', rootSet],
    ['an older root set is refused', 'set.version < versionMin ?', 'set.version === undefined ?', rootSet],
    ['a root set ends', 'set.notAfter <= seconds ?', 'set.notAfter === undefined ?', rootSet],
  ),
  ...guardsOf('actors/vault/pki/root-set.ts', rotation,
    [
      'a changed set has another version', '? last.version : last.version + 1', '? last.version : last.version',
      rootSet,
    ],
  ),
  ...guardsOf('actors/vault/pki/revocation.ts', revocation,
    [
      'the first time of a revocation stays',
      'if (stored.revokedAt !== undefined) return { revokedAt: stored.revokedAt }', '',
      'a certificate is revoked once: a retry gets the first time, and its list is there at once',
    ],
    [
      'the list is made with the revocation', 'barrier.commit([guard, list.guard], [record, list.change])',
      'barrier.commit([guard], [record])',
      'a certificate is revoked once: a retry gets the first time, and its list is there at once',
    ],
    [
      'of two that write a list one begins anew', '([guard, list.guard]', '([guard]',
      'many revocations at once are all on the list, and each number is used once',
    ],
    [
      'a reason is one of those that there are', "if (reason === undefined || reason === 'certificateHold') {",
      'if (false) {',
      'every reason is a word of RFC 5280, and what is none is refused',
    ],
  ),
  ...guardsOf('actors/vault/pki/tidy.ts', revocation,
    [
      'what lives is not forgotten', 'if (found.stored.notAfter >= before) left++',
      'if (found.stored.notAfter < 0) left++',
      'tidy forgets what ended long enough ago, in the inventory and on the lists, and nothing else',
    ],
    [
      'who lives stays on its list', 'return end !== undefined && end >= before', 'return end === undefined',
      'tidy forgets what ended long enough ago, in the inventory and on the lists, and nothing else',
    ],
  ),
  ...guardsOf('actors/vault/pki/own-authorities.ts', authorities,
    [
      'the zone makes its own authorities', 'if (shape !== undefined) {', 'if (false) {',
      'the authorities of the zone are made by the zone alone',
    ],
    [
      'a leaf is no authority',
      "if (own.extensions.ca === undefined || !own.extensions.keyUsage?.includes('keyCertSign')) {", 'if (false) {',
      'an authority that was made elsewhere is imported with its key, and nothing else is taken for one',
    ],
    [
      'an authority that has ended is not imported', 'if (own.notAfter <= clock.now()) throw', 'if (false) throw',
      'an authority that was made elsewhere is imported with its key, and nothing else is taken for one',
    ],
  ),
  ...guardsOf('actors/vault/pki/http/revoke.ts', http, [
    'who revokes by a key has that key', 'if (!sameBytes(parseCertificate(stored.der).spki, key.public.spki)) {',
    'if (false) {',
    'what nothing was kept of is revoked by itself, if it is of this mount, and by who has its key',
  ]),
  ...guardsOf('actors/vault/pki/revocation-list.ts', 'test/limits/pki.test.ts', [
    'a revocation list fits into the store', 'if (revoked.length > most) {', 'if (false) {',
    'a revocation list has so many certificates, and one more is refused',
  ]),
  ...guardsOf('actors/vault/pki/revocation-list.ts', revocation,
    [
      'a list is taken apart once', 'if (last?.revision === found.revision) return last', '',
      'a list is taken apart once, and anew when another vault on the store has made the next',
    ],
    [
      'the next list is seen', 'if (last?.revision === found.revision) return last', 'if (last) return last',
      'a list is taken apart once, and anew when another vault on the store has made the next',
    ],
  ),
]
