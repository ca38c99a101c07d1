import type { Coverage } from './registry-verify-hub.ts'

export const relay: Coverage = {
  'actors/tunnel-peers.test.ts': {
    'an OOD dials those whose name comes after its own, at growing intervals, and no more when they are gone': [
      'oodRetryMsMin', 'oodRetryMsMax',
    ],
    'it looks for others and tells its nodes as often as the limits': ['oodLookMs'],
  },
  'actors/uplink-documents.test.ts': {
    'hosts that the owner has not signed for, or nobody could reach, are not taken': ['oodServers'],
  },
  'actors/client-device.test.ts': {
    'a node leads bytes to a service that is at work there, and to nothing else': ['nodeHttpStreams'],
  },
  'tunnels-relay.test.ts': {
    'of the hosts of a service so many are asked for at other OODs': ['relayedHosts'],
    'a host that answers nobody takes so many places of another OOD’s tunnel, and others have theirs': ['relayWaiting'],
  },
  'tunnels-shares.test.ts': {
    'what four hosts open keeps no fifth out, and they are told why': ['relayedPerOrigin'],
    'the more origins there are, the less each may have, and the next one has a place': ['relayedPart'],
    'what waits for answers that do not come leaves others theirs': ['relayedWaitingRatio'],
    'who asks and takes back at once does so as often as there are places to wait, and others wait': ['relayedBackMs'],
  },
}
