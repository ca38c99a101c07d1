/** The port at which hosts come into a zone, and what is revoked: nobody keeps others out of it, or their names. */
import { guardsOf, type Guard } from '../guard.ts'

const PORT = 'test/limits/edge.test.ts'
const TIMES = 'test/limits/edge-times.test.ts'
const ADDRESS =
  'an address holds so many connections, and one more takes the place of who has waited longest'
const STRANGERS = 'strangers hold so many connections, and one more takes a place of the address that holds most'
const ANSWERED = 'what is being answered does not make way, and a request that is not whole does'
const CERTIFIED = 'who has shown a certificate makes way for no stranger, and neither does what was handed over'
const NAMED = 'a host holds so many connections beside its tunnels, and all hosts so many'
const ROOM = 'test/actors/revocation-room.test.ts'
const FULL = 'a full list takes one more where one has ended, and else only what is reserved for hosts'
const NO_ROOM = 'where no list has room a host is revoked by its record, and what nodes are told of is not cut'
const STANDING = 'test/edge-standing.test.ts'
const BACK = 'a document of a revoked host that comes to be there again is taken away at once'
const CROWD = 'test/edge-strangers.test.ts'

export const edge: readonly Guard[] = [
  ...guardsOf('runtime/platform/connection-room.ts', PORT,
    ['an address holds so many connections', 'into.of(who) < perOne ?', 'true ?', ADDRESS],
    ['strangers hold so many', 'into.size < most ||', 'true ||', STRANGERS],
    ['who holds most makes way', 'makeWay(into, into.fullest())', 'makeWay(into, who)', STRANGERS],
    ['what is answered stays', "if (state === 'unread') unread ??= one", 'unread ??= one', ANSWERED],
    [
      'a request that is not whole makes way', 'if (unread) cut(unread)\n    return unread !== undefined',
      'return false', ANSWERED,
    ],
    ['a certificate takes no place of strangers', 'leave(one)\n    if (streams?', 'if (streams?', CERTIFIED],
    ['tunnels take no place of requests', 'if (streams?.alpn.includes(peer!.alpn)) return', '', NAMED],
    ['a host holds so many', 'take(named, name, one, limits.edgeNamed, limits.edgePerName)', 'named.add(name, one)',
      NAMED],
  ),
  ...guardsOf('runtime/platform/connection-room.ts', TIMES,
    ['who says nothing is cut', '} else cut(one)', '}'],
    ['a connection ends', '(one.asked && lives)', 'one.asked'],
  ),
  ...guardsOf('actors/uplink/taking.ts', 'test/actors/uplink-failover.test.ts',
    ['what a host is told counts, kept or not',
      '      // What could not be kept holds all the same, and the control plane is judged by it\n',
      '      if (!(error instanceof TlsNotTrusted)) throw error\n',
      'a control plane that is revoked is left for the next one as soon as a host is told'],
  ),
  ...guardsOf('actors/uplink/documents.ts', 'test/actors/uplink-documents.test.ts',
    ['a full disk costs a host no certificate', 'return `they cannot be kept: ${messageOf(error)}`', 'throw error',
      'documents that cannot be kept count until the next start, and take no certificate with them'],
  ),
  ...guardsOf('actors/vault/guarded.ts', 'test/actors/vault-audit-strangers.test.ts',
    ['strangers fill no audit by names of hosts', 'if (!isAnswer(outcome.error, method)) {', 'if (true) {',
      'that no host of a name has joined is in no audit, however often strangers have it asked'],
  ),
  ...guardsOf('transport/tunnel/renew.ts', 'test/limits/edge-renewals.test.ts',
    ['renewals are few', 'if (this.#recent.length >= limits.edgeRenewals) {', 'if (false) {'],
  ),
  ...guardsOf('actors/vault/pki/revocation.ts', ROOM,
    ['what has ended leaves its list', 'if (end + lifeMs < now) continue', '',
      'certificates that ended leave their list, one life of a list later, as it is made anew'],
    ['a full list makes room', 'isFull ? await unended(authority, before) : before', 'before', FULL],
    [
      'single revocations leave room for hosts', 'lifeMs: await crlLifeMs(), most: ordinary',
      'lifeMs: await crlLifeMs()', FULL,
    ],
  ),
  ...guardsOf('actors/vault/join/hosts.ts', ROOM,
    ['a full list keeps no host in', "const unlisted = stored.role !== 'ood'", 'const unlisted = false', NO_ROOM],
  ),
  ...guardsOf('actors/enrolment/tunnels/telling.ts', ROOM,
    ['what is too long to be told is said', 'if (long) {', 'if (false) {', NO_ROOM],
  ),
  ...guardsOf('actors/vault/join/enrol.ts', 'test/actors/join-hosts.test.ts',
    ['the name of a client device is its own for good', "if (host.role === 'client-device' && host.kid !== kid) {",
      'if (false) {', 'the name of a client device is no other device’s, for good: lines of the policy name it'],
  ),
  ...guardsOf('actors/enrolment/actor.ts', STANDING,
    ['a root token is used up for all OODs', 'burn: (token) => needs.verifyHub.burn({ token, audience: APPID }),', '',
      'a root token that enrolment was shown is used up in the zone, and not only where it was shown'],
    ['a registration that changes is looked at', 'onDevice: keeping.late,', 'onDevice() {},', BACK],
  ),
  ...guardsOf('actors/enrolment/tunnels/open.ts', STANDING,
    ['the store is followed for that', 'if (host !== undefined) options.onDevice()', '', BACK],
  ),
  ...guardsOf('actors/enrolment/actor.ts', CROWD,
    ['strangers keep nobody out of a zone', 'room: { nameOf: trust.nameOf, sourceOf },', '',
      'a host connects, renews and joins while 2,000 connections of strangers are held'],
  ),
]
