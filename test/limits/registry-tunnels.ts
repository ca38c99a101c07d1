import type { Coverage } from './registry-verify-hub.ts'

export const tunnels: Coverage = {
  'limits/tunnels.test.ts': {
    'so many links of one host wait, and so many there are; others have their places': [
      'tunnelHostWaiting', 'tunnelHostStreams',
    ],
    'one host begins so many tunnels in a window; nothing is done for one more, and others come': ['tunnelsPerSource'],
    'a host waits so long for its next tunnel, and of those that wait there is one': ['tunnelAgainMs'],
    'who has no good certificate takes no place, and is told so beside so many others': ['tunnelsRefusing'],
    'who waits to be let in says a greeting, and no more': ['tunnelGreetingBytes'],
    'so many tunnels are looked at together': ['tunnelLooks'],
    'a new tunnel is told what was read a moment ago, and no longer': ['tunnelToldMs'],
    'a host asks so often by its certificate, an address as often as without one': ['enrolmentPerHost'],
  },
  'tunnels-judged.test.ts': {
    'while nothing has changed a tunnel is judged after the limit alone, and when its certificate has ended': [
      'tunnelJudgeMs',
    ],
    'a host whose zone does not answer has no tunnels after the limit, and takes some again when it does': [
      'tunnelBlindMs', 'tunnelSightMs',
    ],
  },
}
