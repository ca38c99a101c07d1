import type { Coverage } from './registry-verify-hub.ts'

export const joinOods: Coverage = {
  'join-oods-hostile.test.ts': {
    'it asks again at intervals that grow up to the limit': ['oodPollMsMin', 'oodPollMsMax'],
  },
}
