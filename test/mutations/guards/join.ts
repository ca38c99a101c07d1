/** How a host comes into a zone: whose token, whose device, to which server, and who is a host afterwards. */
import { guardsOf, type Guard } from '../guard.ts'

export const join: readonly Guard[] = [
  ...guardsOf('actors/vault/join/tokens.ts', 'test/actors/join-tokens.test.ts',
    [
      'a token is known by its secret', 'if (!keys.equal(kept, digest) || !found) throw unknown()',
      'if (!found) throw unknown()',
      'strangers learn nothing: whatever is wrong with a token that nobody made, they are told the same',
    ],
    [
      'a token is for one host', "if (bound !== host) throw refuse('host'", "if (false) throw refuse('host'",
      'an expired, a revoked and another host’s token give nothing, and use nothing up',
    ],
    [
      'a revoked token is over', "if (revokedAt !== undefined) throw refuse('revoked'",
      "if (false) throw refuse('revoked'",
      'an expired, a revoked and another host’s token give nothing, and use nothing up',
    ],
    [
      'a token ends', "if (clock.now() >= expiresAt) throw refuse('expired'", "if (false) throw refuse('expired'",
      'an expired, a revoked and another host’s token give nothing, and use nothing up',
    ],
    [
      'nobody becomes anything else by a token', 'if (role.success) return role.output', 'return asked as DeviceRole',
      'a token has a host, the role of a node or an OOD, a range that is one, and an end within a day',
    ],
  ),
  ...guardsOf('actors/vault/join/enrol.ts', 'test/actors/join-tokens.test.ts',
    [
      'a token is used by one device', 'const isSame = stored.used.kid === kid && stored.used.csr === csr',
      'const isSame = true',
      'anyone else who has the token is refused and counted, and so is another request of the same device',
    ],
    [
      'a token is used once, whoever is at it at the same time',
      'guards: [{ key: path, modRevision: found.revision }, { key: hostPath, modRevision: host?.revision ?? 0 }],',
      'guards: [],',
      'of many devices with one token at the same time one gets in, and the others have no certificate',
    ],
    [
      'a device signs for one request to one server',
      'if (!proofHolds(keys, statement.key, proof, { token, csr, server })) {',
      'if (false) {',
      'a request is good only from the device that signed it, to the server that it was signed for',
    ],
    [
      'a statement is of this zone and host',
      'if (statement.zone !== zone || statement.name !== host || statement.role !== role) {', 'if (false) {',
      'a request is good only from the device that signed it, to the server that it was signed for',
    ],
    [
      'what is revoked is not given again',
      "if (stored.revokedAt !== undefined) throw await tokens.refused(found, 'revoked'",
      "if (false) throw await tokens.refused(found, 'revoked'",
      'what was given is given again only while token and certificate are unrevoked, and the token lives',
    ],
    [
      'the next certificate is for the device that joined', 'if (!found || found.value.kid !== kid) throw refuse(',
      'if (!found) throw refuse(',
      'the next certificate of a host is for the device that joined as it, while its last is unrevoked',
    ],
    [
      'a revoked host gets no next certificate',
      'if (host.revokedAt !== undefined || current?.stored.revokedAt !== undefined) {', 'if (false) {',
      'the next certificate of a host is for the device that joined as it, while its last is unrevoked',
    ],
  ),
  ...guardsOf('actors/vault/join/enrol.ts', 'test/actors/join-requests.test.ts',
    [
      'a host is certified under its own name alone',
      'if (commonName !== host || names.some(({ value }) => value !== identity)) {', 'if (false) {',
      'a request that is unsound, weak, for others or for an authority is refused, each for what it is',
    ],
    [
      'a request that was copied is of no use', 'stored.used.kid === kid && ', '',
      'another device that has the token and the request of the first one gets nothing',
    ],
    [
      'the revocation of a token is not overtaken', 'guards: [{ key: path, modRevision: found.revision }, {',
      'guards: [{', 'a token that is revoked while its certificate is made gives none',
    ],
    [
      'the revocation of a host is not overtaken',
      '...(current ? [{ key: `${pki.mount}/${certificatePath(current.key)}`, modRevision: current.revision }] : []),',
      '',
      'a host that is revoked while its next certificate is made gets none',
    ],
  ),
  ...guardsOf('actors/enrolment/trust.ts', 'test/actors/enrolment.test.ts',
    [
      'a revoked certificate opens nothing',
      'if (isDue(known.atMs) && (looking || isDue(lookedMs))) await refresh()',
      '', 'a revoked certificate is refused as soon as the next list is asked for',
    ],
    [
      'only hosts are hosts', "of === zone && ['node', 'ood', 'client-device'].includes(role) && isName(name)",
      'of === zone && isName(name)',
      'a certificate of another zone, and one of this zone that is no host’s, open nothing',
    ],
  ),
  ...guardsOf('runtime/platform/tls-server.ts', 'test/runtime/http-tls.test.ts',
    [
      'a certificate that TLS did not verify is nobody’s',
      'const raw = socket.authorized ? shownBy(socket)?.raw : undefined', 'const raw = shownBy(socket)?.raw',
      'a client need not show a certificate; of one that is good the server is told, of any other nothing',
    ],
  ),
  ...guardsOf('runtime/platform/tls-client.ts', 'test/runtime/http-tls.test.ts',
    [
      'a server of an unknown authority is not trusted', 'if (!socket.authorized) {', 'if (false) {',
      'nothing is sent to a server that is not trusted',
    ],
  ),
  ...guardsOf('actors/enrolment/sources.ts', 'test/actors/enrolment.test.ts', [
    'a network of IPv6 is one source', '(index < 8 ? byte : 0)', 'byte',
    'who owns a network of IPv6 has one address, however its addresses are written',
  ]),
]
