/** What a certificate, a request, a revocation list and their keys must be, and which chain is trusted. */
import { guardsOf, type Guard } from '../guard.ts'

const refused = 'test/runtime/x509-refused.test.ts'
const plain = 'test/runtime/x509.test.ts'
const keysTest = 'test/runtime/certificate-keys.test.ts'
const chain = 'test/runtime/x509-chain.test.ts'

export const x509: readonly Guard[] = [
  ...guardsOf('runtime/x509/der.ts', refused,
    [
      'nothing is left unread', "if (this.#at !== this.#end) this.fail('there is more than belongs here')", '',
      'a certificate with three times',
    ],
    [
      'a number has one spelling',
      'if (value.length > 1 && ((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80))) {',
      'if (false) {', 'a certificate with a serial with leading zeros',
    ],
    [
      'a serial is not negative', "if (value[0]! >= 0x80) this.fail('a number is negative')", '',
      'a certificate with a negative serial',
    ],
    [
      'a flag is said by TRUE alone', "if (value.length !== 1 || value[0] !== 0xff) this.fail('a flag is not TRUE')",
      '',
      'a certificate with a flag that is 1',
    ],
    [
      'a string of bits has whole bytes', "if (value[0] !== 0) this.fail('a string of bits has no whole bytes')", '',
      'a certificate with a signature that is no whole bytes',
    ],
    [
      'a set of flags has one spelling',
      'if ((last & ((1 << unused) - 1)) !== 0 || (bits > 0 && (flags & (1 << (bits - 1))) === 0)) {', 'if (false) {',
      'a certificate with key usage with zeros at its end',
    ],
    [
      'an object identifier has one spelling', 'if (arc === 0 && byte === 0x80) this.fail(', 'if (false) this.fail(',
      'a certificate with an object identifier that is longer than need be',
    ],
    [
      'an object identifier stays a number', 'if (arc >= 2 ** 45) this.fail(', 'if (false) this.fail(',
      'a certificate with an object identifier beyond all numbers',
    ],
    [
      'a set is in order', 'if (tag === tags.set && values.length > 1 && reader.#isBefore(start, last)) reader.fail(',
      'if (false) reader.fail(', 'a certificate with a part of its name out of order',
    ],
  ),
  ...guardsOf('runtime/x509/der.ts', keysTest,
    [
      'a length has one spelling', 'if (length < 0x80 || length < 256 ** (digits - 1)) this.fail(',
      'if (false) this.fail(',
      'an Ed25519 key that is weak, of another length or of another use is refused',
    ],
  ),
  ...guardsOf('runtime/x509/der.ts', 'test/limits/certificates.test.ts',
    [
      'what is too long is not read', 'if (bytes.length > most) throw', 'if (false) throw',
      'a request of as many bytes as the limit is read, one more is refused before it is',
    ],
    [
      'a list has an end', 'if (values.length === most) reader.fail(', 'if (false) reader.fail(',
      'a name has as many parts as the limit, a certificate as many extensions, and no more',
    ],
  ),
  ...guardsOf('runtime/x509/time.ts', refused,
    [
      'a day is one of its month', '|| day > daysIn(year, month)) return undefined', ') return undefined',
      'a certificate with a 30th of February',
    ],
    [
      'a time has one spelling', 'return generalized && at < GENERALIZED_MS ? undefined : at', 'return at',
      'a certificate with GeneralizedTime before 2050',
    ],
  ),
  ...guardsOf('runtime/x509/text.ts', refused,
    [
      'a name has no hidden end', '|| !isPlain(text)', '', 'a certificate with a new line in its name',
    ],
  ),
  ...guardsOf('runtime/x509/name.ts', refused,
    [
      'a name has one CN', 'if (all.length > 1) refuse(', 'if (false) refuse(', 'a request with two common names',
    ],
  ),
  ...guardsOf('runtime/x509/alternative-names.ts', plain,
    [
      'an IPv4 address has one spelling', 'return bytes && !isMappedIpv4(bytes) ?', 'return bytes ?',
      'an alternative name has one spelling, and what is none is refused',
    ],
    [
      'an address is no DNS name', '&& !/^\\d+$/.test(labels.at(-1)!)', '',
      'an alternative name has one spelling, and what is none is refused',
    ],
    [
      'a wildcard is not for a whole domain of all', "labels[0] === '*' && labels.length > 2", "labels[0] === '*'",
      'an alternative name has one spelling, and what is none is refused',
    ],
  ),
  ...guardsOf('runtime/x509/extensions-read.ts', refused,
    [
      'an extension stands there once', 'if (seen.has(dotted)) inner.fail(', 'if (false) inner.fail(',
      'a certificate with an extension twice',
    ],
    [
      'constraints are understood as a whole', 'return understood && names.length > 0 ? names : undefined',
      'return names',
      'critical extensions that are not understood are told, and so are constraints of a kind that is not',
    ],
  ),
  ...guardsOf('runtime/x509/extensions.ts', plain,
    [
      'who signs is an authority', "return signs ? refuse('keyCertSign is for authorities') : NOT_AUTHORITY",
      'return NOT_AUTHORITY', 'nothing is signed that RFC 5280 forbids',
    ],
    [
      'a certificate is of somebody', "else if (subjectIsEmpty) refuse('A certificate with an empty subject must have",
      "else if (false) refuse('A certificate with an empty subject must have",
      'nothing is signed that RFC 5280 forbids',
    ],
  ),
  ...guardsOf('runtime/x509/certificate.ts', refused,
    [
      'a certificate is of version 3', "if (!sameBytes(tbs.element(), VERSION_3)) tbs.fail('it is not of version 3')",
      'tbs.element()', 'a certificate with version 1',
    ],
    [
      'a certificate is signed by the algorithm that is signed with it', 'if (inner !== algorithm) outer.fail(',
      'if (false) outer.fail(', 'a certificate with two algorithms',
    ],
    [
      'a certificate has a life', "if (notBefore > notAfter) tbs.fail('it ends before it begins')", '',
      'a certificate with an end before its beginning',
    ],
  ),
  ...guardsOf('runtime/x509/serial.ts', refused,
    [
      'a serial is positive and not too long', 'return isSerial(serial) ? serial : reader.fail(',
      'return true ? serial : reader.fail(', 'a certificate with the serial zero',
    ],
  ),
  ...guardsOf('runtime/x509/csr.ts', refused,
    [
      'who asks has the key', 'if (!verifySigned(key, algorithm, info, signature)) {', 'if (false) {',
      'a request that another key signed, or that changed since, is not verified',
    ],
    [
      'what is critical is understood', 'if (unknown.length > 0) info.fail(', 'if (false) info.fail(',
      'a request with an unknown critical extension',
    ],
    [
      'extensions are asked for once', "if (lists.length > 1) info.fail('it asks for extensions twice')", '',
      'a request with extensions asked for twice',
    ],
  ),
  ...guardsOf('runtime/x509/csr.ts', 'test/runtime/x509-judges.test.ts',
    [
      'to sign certificates is asked for by an authority',
      '|| (keyUsage ?? []).some((usage) => AUTHORITY.includes(usage))', '',
      'the request of an authority is known for one, by either way to ask',
    ],
  ),
  ...guardsOf('runtime/x509/crl.ts', refused,
    [
      'a list names a serial once', "if (bySerial.size < revoked.length) tbs.fail('a serial stands there twice')", '',
      'a revocation list with a serial twice',
    ],
    [
      'a list is understood as a whole',
      '} else if (critical) reader.fail(`a critical extension is not known: ${dotted}`)\n  })\n ',
      '}\n  })\n ',
      'a revocation list with an unknown critical extension',
    ],
    [
      'a list has an end', "if (thisUpdate >= nextUpdate) tbs.fail('it ends before it begins')", '',
      'a revocation list with an end before its beginning',
    ],
  ),
  ...guardsOf('runtime/x509/spki.ts', keysTest,
    [
      'a key of RSA is long enough', 'if (!RSA_BITS.includes(bits)) {', 'if (false) {',
      'an RSA key that is too short, too long or no such key is refused',
    ],
    [
      'an exponent of RSA is no small one', 'if (e.length < 3 || e.length > 8 || (e.at(-1)! & 1) === 0) {',
      'if (false) {',
      'an RSA key that is too short, too long or no such key is refused',
    ],
    [
      'a modulus is odd', 'if ((n.at(-1)! & 1) === 0) throw', 'if (false) throw',
      'an RSA key that is too short, too long or no such key is refused',
    ],
    [
      'a point is given whole',
      "if (key.length !== 1 + 2 * bytes || key[0] !== 4) inner.fail('a point must be given whole')",
      '', 'a point that is not of its curve, half of one, none at all, or one of another curve is refused',
    ],
  ),
  ...guardsOf('runtime/platform/ed25519.ts', keysTest,
    [
      'a key of a certificate is not weak', 'if (isWeak(raw)) throw', 'if (false) throw',
      'an Ed25519 key that is weak, of another length or of another use is refused',
    ],
  ),
  ...guardsOf('runtime/sim/keys.ts', keysTest,
    [
      'keys of a simulation come from its seed', "if (type !== 'ed25519') throw", 'if (false) throw',
      'a simulation with real keys has Ed25519 from its seed and nothing else',
    ],
  ),
  ...guardsOf('runtime/x509/pem.ts', 'test/runtime/x509-hostile.test.ts',
    [
      'a PEM has one block', 'if (!first || second) throw', 'if (!first) throw',
      'a PEM that is none is refused: no block, several, no end, no base64, or another spelling of it',
    ],
  ),
  ...guardsOf('runtime/x509/verify-chain.ts', chain,
    [
      'a life has a beginning', 'if (at < notBefore) throw', 'if (false) throw',
      'each of a chain is valid from its first second to its last',
    ],
    [
      'a life has an end', 'if (at >= notAfter + 1000) throw', 'if (false) throw',
      'each of a chain is valid from its first second to its last',
    ],
    [
      'a root lives too', 'attempt(root, () => (demandValid(root, search.at), [...chain, root]))',
      'attempt(root, () => [...chain, root])', 'each of a chain is valid from its first second to its last',
    ],
    [
      'what is critical is understood', "if (unknownCritical.length > 0) {", 'if (false) {',
      'whoever has a critical extension that is not understood is not trusted',
    ],
    [
      'only an authority signs', "if (!ca || !mayUse(issuer, 'keyCertSign')) throw",
      "if (!mayUse(issuer, 'keyCertSign')) throw",
      'what is no authority signs nothing, nor does one that may not sign certificates',
    ],
    [
      'an authority signs what it may', "if (!ca || !mayUse(issuer, 'keyCertSign')) throw", 'if (!ca) throw',
      'what is no authority signs nothing, nor does one that may not sign certificates',
    ],
    [
      'a name is not a signature', 'if (!last.verify(search.keyOf(issuer))) {', 'if (false) {',
      'one that another key signed is not trusted by the name of its issuer',
    ],
    [
      'an authority bounds those below it', 'if (ca.pathLength !== undefined && below > ca.pathLength) {',
      'if (false) {',
      'an authority that allows none below it has none, and the root bounds the length of all',
    ],
    [
      'an authority is for its purposes', 'if (search.purpose !== undefined) demandPurpose(issuer, search.purpose)', '',
      'a certificate is for the purposes that it names, and an authority for those of its own',
    ],
    [
      'a leaf is for its purposes', '    demandPurpose(leaf, purpose)\n', '',
      'a certificate is for the purposes that it names, and an authority for those of its own',
    ],
    [
      'an authority is no leaf', "if (leaf.extensions.ca || !mayUse(leaf, 'digitalSignature')) {",
      "if (!mayUse(leaf, 'digitalSignature')) {",
      'a certificate is for the purposes that it names, and an authority for those of its own',
    ],
    [
      'an authority names what it may', 'if (permittedDns) chain.forEach((each) => demandNames(each, permittedDns))',
      '',
      'an authority of some DNS names issues for no others',
    ],
    [
      'what was revoked is not trusted', "if (entry) throw distrust('revoked'", "if (false) throw distrust('revoked'",
      'with revocation lists each below the root needs one that is valid and does not name it',
    ],
    [
      'a list is of its issuer', "&& mayUse(issuer, 'cRLSign') && list.verify(keyOf(issuer)))",
      "&& mayUse(issuer, 'cRLSign'))",
      'with revocation lists each below the root needs one that is valid and does not name it',
    ],
    [
      'a list is of one who may', "&& mayUse(issuer, 'cRLSign') && list.verify", '&& list.verify',
      'with revocation lists each below the root needs one that is valid and does not name it',
    ],
    [
      'a list that ended says nothing',
      'if (!ofIssuer.some(({ thisUpdate, nextUpdate }) => thisUpdate <= at && at <= nextUpdate)) {',
      'if (ofIssuer.length === 0) {',
      'with revocation lists each below the root needs one that is valid and does not name it',
    ],
    [
      'a chain is not endless', 'search.intermediates.slice(0, limits.certificateChain)', 'search.intermediates',
      'a chain has at most as many certificates between leaf and root as the limit, and loops end',
    ],
  ),
]
