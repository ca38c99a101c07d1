import { call, integer, number, object, pipe, string, protocol } from '../../runtime/protocol.ts'

/** Where hosts join the zone, and where tokens for that are made. */
export const Enrolment = protocol('enrolment', {
  address: call(
    object({}), object({ hostname: string(), port: pipe(number(), integer()), socket: string() }), { concurrent: 8 },
  ),
})

/** In its ENV. */
export const enrolmentEnv = {
  hostname: 'ZONEWRIGHT_ENROLMENT_HOSTNAME',
  port: 'ZONEWRIGHT_ENROLMENT_PORT',
  /** Absolute path of the Unix socket, in a folder of mode 0700. */
  socket: 'ZONEWRIGHT_ENROLMENT_SOCKET',
} as const

export const joinTokensPath = '/join-tokens'
