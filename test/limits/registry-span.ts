import type { Coverage } from './registry-verify-hub.ts'

export const span: Coverage = {
  'runtime/store-away.test.ts': {
    'it is tried after the least time, and after twice as long each time up to the most': [
      'storeAwayMsMin', 'storeAwayMsMax',
    ],
  },
  'limits/span.test.ts': {
    'for lists that are known already the vault is waited for no longer than the limit': ['enrolmentListsMs'],
    'who joins waits for a vault that is away no longer than the limit, and is told when to ask again': [
      'enrolmentVaultMs',
    ],
    'hosts that lose a good tunnel come back spread over the limit, and after a failure as before': ['uplinkSpreadMs'],
  },
}
