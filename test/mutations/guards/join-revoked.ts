/** How many certificates a host gets, which of them count, and what a revocation takes. */
import { guardsOf, type Guard } from '../guard.ts'

const COUNT = 'of a host that starts over and over the newest certificates count, though no list says so'
const OOD = 'an OOD that is revoked loses every certificate that it or its actors ever got, in both mounts'
const RACED = 'a certificate that is signed while its OOD is revoked is not kept'
const SAME = 'the same request of the same device gets the same bytes while they live'
const OFTEN = 'a host gets as many certificates in an hour as the limit, and is told when it gets the next'
const FINAL = 'a device gives up when the zone has it no more, and after no refusal that may pass'

export const joinRevoked: readonly Guard[] = [
  ...guardsOf('actors/vault/join/enrol.ts', 'test/actors/join-revoked.test.ts',
    ['a host gets so many certificates in an hour',
      'if (recent.length >= limits.hostRenewals) {', 'if (false) {', OFTEN],
    ['the same request makes no other certificate', '    if (same) return same\n', '', SAME],
    ['another join does not hide a revocation', 'return { ...host, revokedAt: revokedAt + 999 }', 'return host',
      'another join does not hide that the certificate of a host was revoked'],
  ),
  ...guardsOf('actors/vault/join/enrol.ts', 'test/actors/enrolment.test.ts',
    ['so many certificates of a host count', 'return all.slice(-limits.hostCertificates)', 'return all', COUNT],
  ),
  ...guardsOf('actors/enrolment/counting.ts', 'test/actors/enrolment.test.ts',
    ['a revoked host has no certificate that counts', "if (revoked) return 'revoked'", '', COUNT],
    ['an older certificate of a host opens nothing',
      "serials.includes(serial) ? undefined : 'superseded'", 'true ? undefined : serial', COUNT],
    ['whether a certificate counts is asked, and not guessed', 'if (!now) throw error', 'if (!now) return undefined',
      'while the vault does not answer the last lists hold, until they end'],
  ),
  ...guardsOf('actors/vault/join/hosts.ts', 'test/actors/join-revoked.test.ts',
    ['an OOD loses what its record does not name',
      "if (revoked.role === 'ood') await revokeOod(", 'if (false) await revokeOod(', OOD],
  ),
  ...guardsOf('actors/vault/join/of-host.ts', 'test/actors/join-revoked.test.ts',
    ['actors of a revoked host get nothing', 'if (found?.value.revokedAt !== undefined) {', 'if (false) {', OOD],
    ['nor while it is revoked',
      'get guards() { return [{ key: path, modRevision: revision }] }', 'get guards() { return [] }', RACED],
  ),
  ...guardsOf('actors/enrolment/join.ts', 'test/actors/join-publish.test.ts',
    ['what the zone would not say is refused before', '      if (!isNotJoined(error)) throw error\n', '',
      'a host of which the owner has signed for another since gets no next certificate'],
  ),
  ...guardsOf('actors/enrolment/registrations.ts', 'test/actors/registration.test.ts',
    ['one host does not stop the sweep', '            failed.push(error as Error)\n', '            throw error\n',
      'one host whose registration cannot be put right does not hold up the others'],
  ),
  ...guardsOf('boot/client/device.ts', 'test/boot/device-refusals.test.ts',
    ['a refusal that may pass ends nothing',
      "&& FINAL.includes((error as ZonewrightError).details['reason'])", '', FINAL],
  ),
  ...guardsOf('boot/join/join-client.ts', 'test/join-finished.test.ts',
    ['another’s token stays used', 'throw error instanceof JoinNotAllowed ? used : error', 'throw error',
      'the host that used the token finishes its join by its device key, and nobody else does'],
  ),
  ...guardsOf('actors/uplink/certificate.ts', 'test/join-finished.test.ts',
    ['an uplink asks for the same until it has it', 'const asked = pending ??= await', 'const asked = await',
      'an uplink whose answer was lost asks for the same again, and gets the same'],
  ),
]
