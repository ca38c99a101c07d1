import type { Coverage } from './registry-verify-hub.ts'

export const ofLeading: Coverage = {
  'actors/leading.test.ts': {
    'of all hosts of a store one leads, until it is not heard of for the time of its lease': ['leaderLeaseMs'],
    'a leader renews its term for as long as it lives; one that stops is followed at once': [
      'leaderRenewMs', 'leaderAskMs',
    ],
  },
  'actors/shared-enforcement.test.ts': {
    'one that does not reach the store grants nothing, and decides nothing once its enforcers are over': [
      'enforcementFreshMs',
    ],
    'a host that is not heard of is forgotten after its enforcers are over, by the slowest of clocks': [
      'enforcementHostMs', 'enforcementLookMs',
    ],
  },
}
