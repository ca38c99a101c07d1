import type { Coverage } from './registry-verify-hub.ts'

export const edge: Coverage = {
  'limits/edge.test.ts': {
    'an address holds so many connections, and one more takes the place of who has waited longest': [
      'edgePerAddress',
    ],
    'strangers hold so many connections, and one more takes a place of the address that holds most': [
      'edgeStrangers', 'edgePerAddress',
    ],
    'a host holds so many connections beside its tunnels, and all hosts so many': ['edgePerName', 'edgeNamed'],
  },
  'actors/revocation-room.test.ts': {
    'a full list takes one more where one has ended, and else only what is reserved for hosts': [
      'vaultRevokedReserve',
    ],
  },
  'limits/edge-renewals.test.ts': {
    'an end of a tunnel shows so many next certificates in a window, and no more are judged': [
      'edgeRenewals', 'edgeRenewalsMs',
    ],
  },
  'limits/edge-times.test.ts': {
    'a connection has so long for its first request, and so long for all; what was handed over goes on': [
      'edgeFirstMs', 'edgeLifeMs',
    ],
  },
}
