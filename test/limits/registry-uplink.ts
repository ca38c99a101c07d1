import type { Coverage } from './registry-verify-hub.ts'

export const uplink: Coverage = {
  'boot/host-folder.test.ts': {
    'more servers than the limit is refused': ['uplinkServers'],
    'more roots than the limit is refused': ['hostRoots'],
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
    'a host that is revoked is cut off within the promised time, and stays out whatever its document says': [
      'tunnelRecheckMs',
    ],
    'a host is told of roots and revocations, at once and when they change, and takes what the zone has signed': [
      'tunnelTellMs',
    ],
  },
}
