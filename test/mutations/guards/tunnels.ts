/** Tunnels of other hosts: judged for as long as they live, and bounded before anything is done for them. */
import { guardsOf, type Guard } from '../guard.ts'

const JUDGED = 'test/tunnels-judged.test.ts'
const LIMITS = 'test/limits/tunnels.test.ts'
const DEVICE = 'test/actors/client-device.test.ts'
const BLIND = 'a host whose zone does not answer has no tunnels after the limit, and takes some again when it does'
const BOTH =
  'bytes go where the policy allows it to the device and to its owner, who is active, and to what is public'
const PORTS =
  'what is public needs a line all the same where it does not serve, and no service is at a port of the zone'
const SO_MANY = 'one host begins so many tunnels in a window; nothing is done for one more, and others come'
const HOST = 'a host asks so often by its certificate, an address as often as without one'

export const tunnels: readonly Guard[] = [
  ...guardsOf('actors/enrolment/tunnels/tunnels.ts', JUDGED,
    ['a tunnel is judged again once it has its place', 'void recheckOne(name, mine)', '',
      'a host that is revoked between its admission and its place is closed at once'],
    ['each look asks for the registration', 'all.slice(at, at + limits.tunnelLooks)', 'all.slice(0, 0)',
      'each look asks for the registration, and one that fails is asked again'],
    ['who is blind has no tunnels', 'for (const { end } of held.values()) end.close(BLIND)', '', BLIND],
    ['who is blind takes none', 'if (sight.blind) throw new Unavailable(BLIND)', '', BLIND],
    ['links are judged again', 'links.recheck()', '',
      'a link closes when the policy does not allow it any more, and the tunnel goes on'],
    ['a look by the last certificate says nothing of the next',
      'if (one.certificate !== judged) return recheckOne(name, one)', '',
      'a look that began with the last certificate says nothing of the next'],
    ['who comes while our certificate changes follows', 'follow(name, mine, certificate())', '',
      'a certificate of ours that changes while a tunnel is made is followed to'],
  ),
  ...guardsOf('actors/enrolment/tunnels/sight.ts', JUDGED,
    ['no answer is no answer', 'answeredMs = atMs }, () => {})',
      'answeredMs = atMs }, () => { answeredMs = atMs })', BLIND],
  ),
  ...guardsOf('actors/enrolment/tunnels/tunnels.ts', LIMITS,
    ['who comes is counted', 'entrance.bySource(trust.nameOf(peer) ?? connection.remoteAddress)', '', SO_MANY],
    ['by the name of a certificate', 'trust.nameOf(peer) ?? connection.remoteAddress', 'connection.remoteAddress',
      SO_MANY],
    ['a flood fills no log', 'if (!stopping.aborted && !isFlood) log', 'if (!stopping.aborted) log', SO_MANY],
    ['certificates are judged before a greeting', 'const { name } = await trust.hostOf(peer)',
      "const { name } = await trust.hostOf(peer).catch(() => ({ name: 'x' }))",
      'who has no good certificate takes no place, and is told so beside so many others'],
  ),
  ...guardsOf('actors/enrolment/tunnels/links.ts', LIMITS,
    ['a host has so many links', 'const place = quota.take(caller)',
      'const place = { open() {}, leave() {} }',
      'so many links of one host wait, and so many there are; others have their places'],
  ),
  ...guardsOf('actors/enrolment/tunnels/quota.ts', LIMITS,
    ['places are of one host', 'all.set(host, held)', "all.set('', held)",
      'so many links of one host wait, and so many there are; others have their places'],
  ),
  ...guardsOf('actors/enrolment/tunnels/entrance.ts', LIMITS,
    ['one host waits once', 'if (coming.has(host)) throw', 'if (false) throw',
      'a host waits so long for its next tunnel, and of those that wait there is one'],
    ['tunnels of one host have time between them', 'if (waitMs > 0) await pause(clock, waitMs, stopping)', '',
      'a host waits so long for its next tunnel, and of those that wait there is one'],
    ['who waits sends no more than a greeting', 'if (bytes > limits.tunnelGreetingBytes) {', 'if (false) {',
      'who waits to be let in says a greeting, and no more'],
  ),
  ...guardsOf('actors/enrolment/tunnels/telling.ts', LIMITS,
    ['one question answers many that come', 'return isFresh ? asked!.told : now()', 'return now()',
      'a new tunnel is told what was read a moment ago, and no longer'],
  ),
  ...guardsOf('actors/enrolment/sources.ts', LIMITS,
    ['requests by a certificate are counted by host',
      "return flood(hosts.waitMs(host.name), 'host') ??", 'return', HOST],
    ['and by its name, before the certificate is judged', 'if (tooMany) return tooMany', '', HOST],
    ['who is revoked takes nothing from its neighbours', 'nameOf(certificate) ?? remoteAddress', 'remoteAddress', HOST],
  ),
  ...guardsOf('actors/enrolment/tunnels/admission.ts', DEVICE,
    ['what is public serves', 'return await serving(service) || await', 'return true || await', PORTS],
    ['or is on another host', 'return hosts.length > 0 && !hosts.includes(self.host)', 'return true', PORTS],
    ['what is public is an app of its own name', 'appid !== service || kernel || http', 'http', BOTH],
    ['the owner of any host is active if a user', "if (!item && role !== 'client-device') return true",
      "if (role !== 'client-device') return true",
      'a host whose owner is a user that is not active opens nothing by their lines'],
  ),
  ...guardsOf('actors/enrolment/tunnels/http-streams.ts', DEVICE,
    ['no service is at a port of the zone', 'ownPorts().includes(port) || ', '', PORTS],
  ),
]
