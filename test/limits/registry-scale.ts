import type { Coverage } from './registry-verify-hub.ts'

export const scale: Coverage = {
  'actors/shared-watch.test.ts': {
    'as many bytes of changes as the limit are kept; who comes from before catches up alone, and joins': [
      'sharedWatchBytes',
    ],
  },
}
