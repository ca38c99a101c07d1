import type { Coverage } from './registry-verify-hub.ts'

export const carrier: Coverage = {
  'limits/carrier.test.ts': {
    'a host has as many channels to others as the limit, one more is Overloaded, and one that goes makes place': [
      'carriedChannels',
    ],
    'a carrier has as many callers as the limit, of which as many wait as may; one more is Overloaded': [
      'carrierAccepts',
    ],
    'a carrier has the time of the limit to join a channel; one that comes later is let go of': ['carryMs'],
    'a caller waits for the supervisor as long as the limit; an answer that comes later is let go of': [
      'carrierAcceptMs',
    ],
  },
}
