import type { SecondLine } from '../guard.ts'

/** Guards whose absence lets nothing in that can be seen from outside: another refuses the same. */
export const secondLines: readonly SecondLine[] = [
  {
    name: 'each direction has keys of its own', file: 'runtime/link/seal.ts',
    guard: "`zonewright link ${base} ${id === 0 ? 'initiator' : 'responder'}`",
    second: 'The header names the direction, and the tag covers the header: what comes back is rejected as '
              + 'reflected',
  },
  {
    name: 'a signed frame has room for its signature', file: 'runtime/link/seal.ts',
    guard: "if ((bytes[2]! & SIGNED) !== 0 && total < HEADER + TAG + SIGNATURE) reject('cut')",
    second: 'What is too short for a signature is none that verifies',
  },
  {
    name: 'a transaction has so many actions', file: 'actors/system-config/transaction.ts',
    guard: 'if (actions.size > most) {',
    second: 'The store refuses a transaction of more operations',
  },
  {
    name: 'a program comes by a gateway', file: 'actors/verify-hub/login.ts',
    guard: "if (peer.runtimeType !== 'gateway' || !isName(appid)) return false",
    second: 'krpc.ts alone makes callers without a key, and of gateways only',
  },
  {
    name: 'a sweep never goes back', file: 'actors/verify-hub/sessions.ts',
    guard: 'const until = Math.max(sweptSeconds(swept), secondsOf(LOGINS, last))',
    second: 'No use of a login is kept that expired before what was swept: its session is not created',
  },
  {
    name: 'by HTTP nobody shows a key', file: 'actors/verify-hub/asker.ts',
    guard: '(keyless || claims.cnf.jkt !== peer.kid)',
    second: 'Of a session that a key holds nothing is answered to who has shown none',
  },
  {
    name: 'nobody has a password', file: 'actors/verify-hub/password.ts',
    guard: 'if (!stored) throw wrong()',
    second: 'The hash of nobody is random bytes, which no password has',
  },
  {
    name: 'a key of an issuer is the one of this kid', file: 'actors/verify-hub/zone.ts',
    guard: 'trusted.find((one) => one.issuer === issuer && one.kid === kid)',
    second: 'The check of a token compares the issuer of its key with iss',
  },
  {
    name: 'an entry is whole', file: 'actors/vault/record.ts',
    guard: 'if (record.length < CIPHERTEXT_AT + TAG_BYTES) throw',
    second: 'What is shorter than a nonce and a tag does not open',
  },
  {
    name: 'a key that is there is not made again', file: 'actors/vault/named-keys.ts',
    guard: 'if (found !== undefined) return { kid: found.kid, publicKey: found.publicKey, created: false }\n',
    second: 'It is made by a transaction that compares its absence',
  },
  {
    name: 'a vault that is there is not made again', file: 'actors/vault/init.ts',
    guard: 'const made = isEmpty ?',
    second: 'It is made by a transaction that compares its absence',
  },
  {
    name: 'a vault that is there is not initialised', file: 'actors/vault/seal/life.ts',
    guard: 'if (!(await isUninitialised(ports.store))) throw exists()\n',
    second: 'It is made by a transaction that compares its absence',
  },
  {
    name: 'the shares are enough', file: 'actors/vault/unseal.ts',
    guard: 'if (shares.length < config.threshold) {',
    second: 'What fewer shares give is not the root key, whose id is compared',
  },
  {
    name: 'a key of a term has its length', file: 'actors/vault/keyring.ts',
    guard: 'if (bytes?.length !== keyBytes) throw',
    second: 'The keyring opens by the root key only, and no version has written another length',
  },
  {
    name: 'shares are of one length', file: 'actors/vault/shamir.ts',
    guard: 'if (shares.some((share) => share.length !== length)) throw',
    second: 'What they give is not the root key, whose id is compared',
  },
  {
    name: 'a file of a backup has its length', file: 'boot/backup/read.ts',
    guard: 'if (entry.bytes !== bytes) throw',
    second: 'The digest of what was read is compared with the one of the manifest',
  },
  {
    name: 'a tar header has its sum', file: 'boot/backup/tar.ts',
    guard: "if (Number.parseInt(text('sum'), 8) !== sumOf(block)) throw",
    second: 'The whole header is compared with the one that would have been written',
  },
  {
    name: 'what was given to a host that was revoked is not given again', file: 'actors/vault/join/enrol.ts',
    guard: 'if (host?.kid !== used.kid || host.revokedAt !== undefined) {',
    second: 'All certificates of a host are revoked with it, and what was revoked is not given again',
  },
  {
    name: 'a host that was revoked is no OOD again', file: 'actors/vault/join/ood.ts',
    guard: 'if (host?.kid !== kid || host.revokedAt !== undefined || host.document === undefined || !ood) {',
    second: 'Both of its certificates are revoked with it, and looked at next',
  },
]
