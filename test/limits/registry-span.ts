import type { Coverage } from './registry-verify-hub.ts'

export const span: Coverage = {
  'runtime/store-away.test.ts': {
    'it is tried after the least time, and after twice as long each time up to the most': [
      'storeAwayMsMin', 'storeAwayMsMax',
    ],
  },
  'actors/slept.test.ts': {
    'what the wall clock is ahead counts as passed beyond the limit, and what it is set back as nothing': [
      'clockAheadMs',
    ],
    'a leader whose machine slept through its lease leads no more when it wakes, and writes nothing': ['clockLookMs'],
  },
  'epoch-joined.test.ts': {
    'a host that joined before goes on in the new epoch by itself, once it is told of it': ['hostEpochLookMs'],
  },
  'limits/span.test.ts': {
    'for lists that are known already the vault is waited for no longer than the limit': ['enrolmentListsMs'],
    'who joins waits for a vault that is away no longer than the limit, and is told when to ask again': [
      'enrolmentVaultMs',
    ],
    'hosts that lose a good tunnel come back spread over the limit, and after a failure as before': ['uplinkSpreadMs'],
  },
}
