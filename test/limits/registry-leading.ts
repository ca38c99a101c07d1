import type { Coverage } from './registry-verify-hub.ts'

export const ofLeading: Coverage = {
  'actors/leading.test.ts': {
    'of all hosts of a store one leads, until it is not heard of for the time of its lease': ['leaderLeaseMs'],
    'a leader renews its term for as long as it lives; one that stops is followed at once': [
      'leaderRenewMs', 'leaderAskMs',
    ],
  },
}
