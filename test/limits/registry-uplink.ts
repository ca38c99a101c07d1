import type { Coverage } from './registry-verify-hub.ts'

export const uplink: Coverage = {
  'actors/uplink-failover.test.ts': {
    'a live control plane is judged again from time to time': ['uplinkRecheckMs'],
  },
  'boot/host-folder.test.ts': {
    'more servers, or roots, than the limits are refused': ['uplinkServers', 'hostRoots'],
  },
  'limits/uplink.test.ts': {
    'a host tries one server after the other, each for its time, at growing intervals up to the limit': [
      'uplinkRetryMsMin', 'uplinkRetryMsMax', 'uplinkAttemptMs',
    ],
    'a link waits for the tunnel as long as the limit, and then is Unavailable': ['uplinkWaitMs'],
    'one more tunnel than the limit, those included that have not said who they are, is closed': ['tunnels'],
    'a host takes as many authorities and lists as the limit, and no more': ['toldCertificates'],
  },
  'tunnel-revocation.test.ts': {
    'a certificate that is revoked by itself ends the tunnel as well, by the list alone': [
      'tunnelRecheckMs',
    ],
    'a host is told of roots and revocations, at once and anew, and takes what the zone has signed': [
      'tunnelTellMs',
    ],
  },
}
