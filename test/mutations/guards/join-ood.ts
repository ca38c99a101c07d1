/** Who becomes an OOD of the zone, and gets its unseal key. */
import { guardsOf, type Guard } from '../guard.ts'

const APPROVED = 'only a document by which the owner makes this key an OOD of this name approves it'
const BEFORE =
  'before the owner has signed nothing is given, afterwards its certificates and the unseal key'
const WORD = 'the owner’s word is for one key, and is asked for again when something is given'
const SEALED =
  'the unseal key opens for the key that it was sealed to, in this zone, for this host, and in no other way'
const ROLE = 'a token is for its role: an OOD’s makes no node, a node’s no OOD, and both attempts are counted'
const FIRST = 'a token belongs to the device that asked first, for what it asked first'
const SIGNED = 'the device signs both requests, the key to seal to, the token and the server'
const NAMES = 'it is certified under its own name, and asks for no other'
const AGAIN = 'the same request gets the same bytes, until something of it is revoked'
const REFUSED = 'who is refused is told so, is approved no more, and does not wait'
const OVER = 'a token that is over or revoked approves nobody and gives nothing'
const ONE = 'no OOD takes the name of a node, no node that of an OOD, and an OOD is certified as no node'

export const joinOod: readonly Guard[] = [
  ...guardsOf('actors/vault/join/approval.ts', 'test/actors/join-oods.test.ts',
    ['the enrolment key has no word of the owner', 'return device?.enrolment === undefined ? device : undefined',
      'return device', APPROVED],
    ['the owner’s word is for one name', 'if (device.name !== host) throw', 'if (false) throw', APPROVED],
    ['the owner’s word makes an OOD, or none', "if (device.role !== 'ood') throw", 'if (false) throw', APPROVED],
    ['the owner’s word is for one device key', 'if (device.key.x !== key.x) throw', 'if (false) throw', WORD],
    ['the vault knows the owner of its own zone', '|| verdict.payload.zone !== zone) throw', ') throw', WORD],
  ),
  ...guardsOf('actors/vault/join/ood.ts', 'test/actors/join-oods.test.ts',
    ['nothing is given before the owner has signed', 'if (request.document === undefined) return {',
      'if (false) return {', BEFORE],
    ['a token of a node makes no OOD', "await tokens.demandRole(found, 'ood')", '', ROLE],
    ['a token is the first device’s', 'if (request.kid !== kid) throw', 'if (false) throw', FIRST],
    ['a request stays what it was',
      'if (request.csr !== csr || request.etcdCsr !== etcdCsr || request.agreement !== agreement) {',
      'if (false) {', FIRST],
    ['the device has signed the request', 'if (!oodProofHolds(keys, statement.key, proof, input)) {', 'if (false) {',
      SIGNED],
    ['a statement is for this zone, this host and an OOD',
      "if (statement.zone !== zone || statement.name !== host || statement.role !== 'ood') {", 'if (false) {', SIGNED],
    ['what the unseal key is sealed to has its length',
      'if (fromBase64url(input.agreement)?.length !== AGREEMENT_BYTES) {', 'if (false) {', SIGNED],
    ['a host asks for its own names',
      'if (commonName === host && names.every(({ value }) => text === csr && allowed.includes(value))) continue',
      'if (allowed.length > 0) continue', NAMES],
    ['a host whose certificate was revoked gets nothing again',
      'if ([own, etcds].some(({ stored }) => stored.revokedAt !== undefined)) {', 'if (false) {', AGAIN],
    ['who was refused gets nothing', "if (request.refusedAt !== undefined) throw refuse('refused', 'The owner has",
      "if (false) throw refuse('refused', 'The owner has", REFUSED],
    ['who was refused is approved no more',
      "if (request.refusedAt !== undefined) throw refuse('refused', 'The host was",
      "if (false) throw refuse('refused', 'The host was", REFUSED],
    ['nobody waits by a token that is over', 'used === undefined && revokedAt === undefined && clock.now() < expiresAt',
      'used === undefined', OVER],
    ['a name that a host has is not given twice',
      "throw await tokens.refused(found, 'taken', 'A host has joined under this name, and was not revoked')", 'return',
      ONE],
    ['the owner is told whose name it is', 'await demandFree(found, (await hostOf(host))?.value)\n      return',
      'return',
      'no OOD takes the name that a client device has had, also when the owner has signed for it'],
    ['the name of a client device is for good', "if (host.role === 'client-device') {", 'if (false) {',
      'no OOD takes the name that a client device has had, also when the owner has signed for it'],
  ),
  ...guardsOf('actors/vault/join/enrol.ts', 'test/actors/join-oods.test.ts',
    ['a token of an OOD makes no node', 'await tokens.demandEnrolled(found)',
      "'node' as 'node' | 'client-device'", ROLE],
    ['an OOD does not become a node', 'if (host.kid === kid && host.role === found.stored.role) return',
      'if (host.kid === kid) return', ONE],
    ['an OOD’s device key gets no certificate of a node', 'if (!isEnrolled(found.value)) throw', 'if (false) throw',
      ONE],
  ),
  ...guardsOf('actors/vault/join/hosts.ts', 'test/actors/join-oods.test.ts',
    ['the enrolment key signs for no OOD', '|| !isEnrolled(stored)) return stored', ') return stored', ONE],
    ['an OOD loses its certificate for etcd as well',
      'etcd === undefined ? [pki] : [pki, etcd]', '[pki]',
      'who revokes an OOD revokes both of its certificates'],
  ),
  ...guardsOf('actors/sealed-unseal-key.ts', 'test/actors/join-oods.test.ts',
    ['a sealed key is for one zone, host and pair of device keys', "[LABEL, zone, host, from, to].join('\\n')", 'LABEL',
      SEALED],
  ),
]
