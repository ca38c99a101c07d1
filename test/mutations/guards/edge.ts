/** The port at which hosts come into a zone, and what is revoked: nobody keeps others out of it, or their names. */
import { guardsOf, type Guard } from '../guard.ts'

const PORT = 'test/limits/edge.test.ts'
const TIMES = 'test/limits/edge-times.test.ts'
const ADDRESS =
  'an address holds so many connections, and one more takes the place of the one that has waited longest'
const STRANGERS = 'strangers hold so many connections, and one more takes a place of the address that holds most'
const ANSWERED = 'what is being answered does not make way, and a request that is not whole does'
const CERTIFIED = 'who has shown a certificate makes way for no stranger, and neither does what was handed over'
const NAMED = 'a host holds so many connections beside its tunnels, and all hosts so many'
const CROWD = 'test/edge-strangers.test.ts'

export const edge: readonly Guard[] = [
  ...guardsOf('runtime/platform/connection-room.ts', PORT,
    ['an address holds so many connections', 'into.of(who) < perOne ?', 'true ?', ADDRESS],
    ['strangers hold so many', 'into.size < most ||', 'true ||', STRANGERS],
    ['who holds most makes way', 'makeWay(into, into.fullest())', 'makeWay(into, who)', STRANGERS],
    ['what is answered stays', "if (state === 'unread') unread ??= one", 'unread ??= one', ANSWERED],
    ['a request that is not whole makes way', 'if (unread) cut(unread)\n    return unread !== undefined', 'return false',
      ANSWERED],
    ['a certificate takes no place of strangers', 'leave(one)\n    if (streams?', 'if (streams?', CERTIFIED],
    ['tunnels take no place of requests', 'if (streams?.alpn.includes(peer!.alpn)) return', '', NAMED],
    ['a host holds so many', 'take(named, name, one, limits.edgeNamed, limits.edgePerName)', 'named.add(name, one)',
      NAMED],
  ),
  ...guardsOf('runtime/platform/connection-room.ts', TIMES,
    ['who says nothing is cut', '} else cut(one)', '}'],
    ['a connection ends', '(one.asked && lives)', 'one.asked'],
  ),
  ...guardsOf('actors/enrolment/actor.ts', CROWD,
    ['strangers keep nobody out of a zone', 'room: { nameOf: trust.nameOf, sourceOf },', '',
      'a host connects, renews and joins while 2,000 connections of strangers are held'],
  ),
]
