/** How hosts come into a zone: whose token, whose request, and until when. */
import { guardsOf, type Guard } from '../guard.ts'

const tokens = 'test/actors/join-tokens.test.ts'
const requests = 'test/actors/join-requests.test.ts'

const unsound = 'a request that is unsound, weak, for others or for an authority is refused, each for what it is'
const copied = 'another device that has the token and the request of the first one gets nothing'
const revoked = 'a token that is revoked while its certificate is made gives none'
const signed = 'a request is good only from the device that signed it, to the server that it was signed for'
const over = 'an expired, a revoked and another host’s token give nothing, and use nothing up'
const next = 'the next certificate of a host is for the device that joined as it, while its last one is unrevoked'
const race = 'a host that is revoked while its next certificate is made gets none'
const anyone = 'anyone else who has the token is refused and counted, and so is another request of the same device'
const again = 'what was given is given again only while token and certificate are unrevoked, and the token lives'

export const join: readonly Guard[] = [
  ...guardsOf('actors/vault/join/enrol.ts', tokens,
    ['a device signs its request', '!proofHolds(keys, statement.key, proof, { token, csr, server })', 'false', signed],
    ['a token is for one request', ' && stored.used.csr === csr', '', anyone],
    [
      'what was revoked is not given again', 'if (stored.revokedAt !== undefined) throw await', 'if (false) throw await',
      again,
    ],
    ['the next certificate is for who joined', '|| found.value.kid !== kid) throw', ') throw', next],
    [
      'a revoked host gets no next certificate', 'if (current.stored.revokedAt !== undefined) throw',
      'if (false) throw', next,
    ],
  ),
  ...guardsOf('actors/vault/join/enrol.ts', requests,
    ['a request names its host alone', 'names.some(({ value }) => value !== identity)', 'false', unsound],
    ['a token is of one device', 'stored.used.kid === kid && ', '', copied],
    [
      'the revocation of a token is not overtaken', 'guards: [{ key: path, modRevision: found.revision }, {',
      'guards: [{', revoked,
    ],
    [
      'the revocation of a host is not overtaken',
      '        { key: `${pki.mount}/${certificatePath(current.key)}`, modRevision: current.revision },\n', '', race,
    ],
  ),
  ...guardsOf('actors/vault/join/tokens.ts', tokens,
    ['a token is for one host', "if (bound !== host) throw", 'if (false) throw', over],
    ['a revoked token is none', "if (revokedAt !== undefined) throw refuse", 'if (false) throw refuse', over],
    ['a token ends', "if (clock.now() >= expiresAt) throw", 'if (false) throw', over],
    [
      'a token is known by all of it', 'if (!keys.equal(kept, digest) || !found) throw', 'if (!found) throw',
      'strangers learn nothing: whatever is wrong with a token that nobody made, they are told the same',
    ],
  ),
]
