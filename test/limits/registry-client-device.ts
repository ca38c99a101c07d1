import type { Coverage } from './registry-verify-hub.ts'

export const clientDevice: Coverage = {
  'client-device-limits.test.ts': {
    'who sends waits while so much is under way on a TCP connection, and goes on when it has left': ['tcpUnsentBytes'],
    'a service whose host takes no connection in time is given up': ['httpStreamConnectMs'],
    'a device has so many streams open; one more is refused until one has gone': ['deviceStreams'],
    'so many connections are forwarded at once; one more is closed': ['forwardedConnections'],
  },
  'client-device.test.ts': {
    'a stream waits so long for a tunnel, then is Unavailable': ['deviceWaitMs'],
  },
}
