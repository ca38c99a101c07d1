import type { Coverage } from './registry-verify-hub.ts'

export const tunnel: Coverage = {
  'transport-tls.test.ts': {
    'a frame is as long as the limit at most, at the sender and at the receiver': ['tlsFrameBytes'],
    'what is sent in one turn leaves in one write, and much of it at once': ['tlsFillBytes'],
    'who can wait is told when, and a peer that does not read is cut off': ['tlsUnsentBytes', 'tlsUnsentBytesMax'],
  },
  'tunnel-hostile.test.ts': {
    'a message of no such form closes the tunnel': ['tunnelMessage'],
    'what is said out of turn closes the tunnel, whatever the turn': ['tunnelWindowBytesMin', 'tunnelWindowBytesMax'],
    'an end that does not say who it is in time is closed, however far it got': ['tunnelHelloMs'],
  },
  'tunnel-limits.test.ts': {
    'an end may send what it has credit for, and one byte more closes the tunnel': ['tunnelWindowBytes'],
    'without credit a stream sends its window, then waits, then is closed, and others go on': [
      'tunnelBacklogBytes', 'tunnelPieceBytes',
    ],
    'all streams of a tunnel together hold no more than its share': ['tunnelBacklogsBytes'],
    'a stream that is closed has its time to send the rest, and no more': ['tunnelLingerMs'],
    'frames that nobody reads are held up to the limit; then the stream that has most of them is closed': [
      'tunnelUnreadBytes',
    ],
    'there are so many streams, and so many that wait for an answer; one more is refused': [
      'tunnelStreams', 'tunnelOpening',
    ],
    'a document that is told has its length, its order and pieces of some size': ['tunnelDocument'],
    'a stream is open in time, or not at all': ['tunnelOpenMs'],
  },
  'tunnel-silence.test.ts': {
    'silence is asked about, and closes the tunnel when it goes on': ['tunnelPingMs', 'tunnelSilenceMs'],
  },
  'tunnel-renew.test.ts': {
    'what the other end does not take is told, and the last certificate counts on': [
      'tunnelChain', 'tunnelCertificate',
    ],
    'answers to no renewal close the tunnel; no answer is given up in time': ['tunnelRenewMs'],
  },
}
