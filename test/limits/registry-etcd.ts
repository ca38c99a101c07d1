import type { Coverage } from './registry-verify-hub.ts'

/** Limits of a zone’s way to its etcd. */
export const etcd: Coverage = {
  'boot/etcd-reach.test.ts': {
    'it is tried for as long as the limit says, less and less often': [
      'etcdReachMs', 'etcdRetryMsMin', 'etcdRetryMsMax',
    ],
    'a member that accepts and says nothing is given up after the time of one attempt': ['etcdProbeMs'],
  },
  'boot/etcd-renewal.test.ts': {
    'it looks as often as the limit says, by the wall clock: a machine that slept is not late': ['etcdRenewalCheckMs'],
    'a renewal that the vault cannot do now is tried again, and the old certificate stays meanwhile': [
      'etcdRenewalRetryMs',
    ],
  },
  'limits/etcd-inventory.test.ts': {
    'of more than the vault takes at once the rest follows; more at once is refused': ['unrecordedCertificates'],
  },
}
