/** Ways between the hosts of a control plane, and what hosts are told of them. */
import { guardsOf, type Guard } from '../guard.ts'

const RELAY = 'test/tunnels-relay.test.ts'
const NO_THIRD = 'what comes from another OOD goes to a node of this one, and to no third'
const NOT_ANOTHER = 'who leads to another host than was asked for leads nowhere'
const NOT_DIALLED = 'who answers in place of the OOD that was dialled is no way'
const DOCUMENTS = 'test/actors/uplink-documents.test.ts'
const SIGNED = 'hosts that the owner has not signed for, or nobody could reach, are not taken'
const KNOWN =
  'hosts of the control plane are known with their addresses, across starts, and forgotten when told no more'
const HOSTS = 'test/actors/uplink-hosts.test.ts'
const LEFT =
  'who says that it is no control plane any more is left; whom the owner has not signed for is not heard of'
const DEVICE = 'test/actors/client-device.test.ts'
const TAKES = 'of an OOD the other one takes what it relays, and no link to what each has of its own'
const BYTES = 'bytes go to the host of a service: from a device to any, from another OOD to the one that it names'
const AT_WORK = 'a node leads bytes to a service that is at work there, and to nothing else'
const NO_BYTES = 'a client device opens links to system-config and verify-hub only, and hosts open no bytes'

const SILENT =
  'a host that answers nobody takes so many places of another OOD’s tunnel, and others have theirs'
const SHARES = 'test/tunnels-shares.test.ts'
const FOUR = 'what four hosts open keeps no fifth out, and they are told why'
const THEIRS = 'whomever another OOD says that its streams are for, they are its own'
const WAITS = 'what waits for answers that do not come leaves others theirs'
const NOBODY_MORE = 'of the streams to programs of a node nobody has more than is left for others'

export const relay: readonly Guard[] = [
  ...guardsOf('transport/tunnel/streams.ts', SHARES,
    ['an origin has so many streams by a tunnel', 'Math.min(limits.relayedPerOrigin, free / limits.relayedPart)',
      'free / limits.relayedPart', FOUR],
    ['an origin leaves places to others', 'Math.min(limits.relayedPerOrigin, free / limits.relayedPart)',
      'limits.relayedPerOrigin', 'the more origins there are, the less each may have, and the next one has a place'],
    ['what waits leaves places to others', 'if (waiting.taken(by) >= limits.relayedWaitingRatio * others) refuse',
      'if (false) refuse', WAITS],
    ['a place is given back', 'entry.leave?.()', '',
      'a place is free again after each end that a stream may come to'],
    ['who has an answer waits no more', '      answered()\n', '', FOUR],
    ['who takes back has its place still', 'if (isBack && by.length > 0 && ', 'if (false && ',
      'who asks and takes back at once does so as often as there are places to wait, and others wait'],
  ),
  ...guardsOf('actors/enrolment/tunnels/links.ts', SHARES,
    ['another OOD takes nobody’s places', "host.role === 'ood' ? `${request.caller.host} by ${host.name}`",
      'false ? host.name', 'in whose name ever another OOD asks, whoever has that name here has its own places'],
  ),
  ...guardsOf('transport/tunnel/places.ts', SHARES,
    ['an OOD takes no more than it leaves', 'by.length > 1 ? free - this.taken(by.slice(0, 1)) : free', 'free', THEIRS],
  ),
  ...guardsOf('transport/tunnel/held.ts', 'test/tunnels-unread.test.ts',
    ['of an OOD that holds most a stream gives way', 'for (const at of [0, 1])', 'for (const at of [1])',
      'what another OOD does not read stops nothing of this one'],
    ['of whoever holds most a stream gives way', 'for (const at of [0, 1])', 'for (const at of [] as number[])',
      'downloads that two hosts do not read stop nobody else’s'],
    ['behind an OOD it is who holds most', 'for (const at of [0, 1])', 'for (const at of [0])',
      'behind an OOD what one does not read stops nothing of another'],
  ),
  ...guardsOf('actors/enrolment/tunnels/ways.ts', SHARES,
    ['a host says for itself alone whom a stream is for', 'return [from?.name ?? (', 'return by ?? [from?.name ?? (',
      FOUR],
    ['what an OOD passes on is its own', '[from.name, by?.at(-1) ?? from.name]', '[by?.at(-1) ?? from.name]', THEIRS],
    ['who comes to the gateway takes no places of actors', "type === 'http' ? `${self.host}/gateway` : self.host",
      'self.host', 'what comes by the gateway leaves the actors of this host their places'],
  ),
  ...guardsOf('actors/uplink/http.ts', DEVICE,
    ['nobody has more of a node than is left', ' || (by.length > 0 && places.taken(by) >= places.left(by, free))', '',
      NOBODY_MORE],
    ['places of a node are given back', '      leave()\n', '', NOBODY_MORE],
  ),
  ...guardsOf('actors/enrolment/tunnels/http-streams.ts', DEVICE,
    ['whom bytes are for goes on to the next host', ', ...(by ? { by } : {})', '', BYTES],
  ),
  ...guardsOf('actors/enrolment/tunnels/ways.ts', RELAY,
    ['what one OOD has relayed no other relays', 'if (isRelayed) throw nothing(request, others)', '', NO_THIRD],
    ['nor does it lead to an OOD', " && !(isRelayed && held.get(host)!.role === 'ood')", '', NO_THIRD],
    ['a host that answers nobody takes few places', 'if (one.places.taken(by) >= limits.relayedWaitingRatio * left) {',
      'if (false) {', SILENT],
    ['nobody keeps a host from others', 'if (one.places.taken(by) >= limits.relayedWaitingRatio * left) {',
      'if (one.all >= limits.relayWaiting) {', SILENT],
    ['a host leads to itself alone', 'if (opened.granted.host === host) return opened', 'return opened', NOT_ANOTHER],
    ['one of two ways is taken', "if (taken) opened.channel.close('another way was faster')", 'if (taken) void 0',
      'of two that have it one is taken, and the other one is closed'],
  ),
  ...guardsOf('actors/enrolment/tunnels/sight.ts', 'test/tunnels-judged.test.ts',
    ['what keeps it from asking ends nothing', 'asked(), () =>', 'ask(), () =>',
      'a zone that cannot be asked, since a session has ended, is not seen for now'],
  ),
  ...guardsOf('actors/enrolment/tunnels/tunnels.ts', RELAY,
    ['who was dialled answers', 'found.host.name !== dialled || ', '', NOT_DIALLED],
  ),
  ...guardsOf('actors/enrolment/tunnels/admission.ts', DEVICE,
    ['an OOD has its own control plane', '(kernelActors as readonly string[]).includes(what)',
      "role !== 'ood' && (kernelActors as readonly string[]).includes(what)", TAKES],
    ['only an OOD passes bytes on', "role === 'ood' && request.type === 'http' && request.host !== undefined",
      "request.type === 'http' && request.host !== undefined", NO_BYTES],
    ['an OOD asks for no bytes of its own', " && request.type === 'http' && request.host !== undefined",
      " && request.type === 'http'", NO_BYTES],
    ['a node speaks for its own actors only', "if (caller.host === host.name || host.role === 'ood') return",
      'return', TAKES],
  ),
  ...guardsOf('actors/enrolment/tunnels/http-streams.ts', DEVICE,
    ['what is relayed is where the zone says', "if (isRelayed && !hosts.includes(host ?? '')) throw",
      'if (false) throw', BYTES],
    ['what is relayed is at work', ' || (isRelayed && !await serving(service))', '', BYTES],
  ),
  ...guardsOf('actors/uplink/http.ts', DEVICE,
    ['a node takes bytes for itself', 'if (host !== start.self.host) throw', 'if (false) throw', AT_WORK],
    ['no service is where the host itself listens', ' || ownPorts.includes(port)', '', AT_WORK],
    ['a service is at work', ' || !await serving(service)', '', AT_WORK],
  ),
  ...guardsOf('actors/uplink/documents.ts', DOCUMENTS,
    ['the zone document is by the owner key', 'next?.root.x !== first.root.x', 'false', SIGNED],
    ['no older list is taken', 'if (next.iat < newest.iat || next.epoch < newest.epoch) return', 'if (false) return',
      SIGNED],
    ['who is told no more is forgotten', 'addresses = judged.servers',
      'addresses = new Map([...addresses, ...judged.servers])', KNOWN],
  ),
  ...guardsOf('actors/uplink/connection.ts', HOSTS,
    ['who says that it is no host of the control plane is none',
      'if (isList) isListed = hosts.names.includes(ood)', '', LEFT],
    ['a live control plane is judged after each telling', 'hosts.names.includes(ood)\n        judge()',
      'hosts.names.includes(ood)', LEFT],
  ),
]
