import { array, call, number, object, protocol, string } from '../../runtime/protocol.ts'

/** Stands where the example service does, so that login tokens for that service are its own. */
export const LoginDriver = protocol('service', {
  /** Logs in by each of these tokens, so many at a time. Microseconds a login. */
  login: call(object({ jwts: array(string()), inFlight: number() }), object({ micros: number() })),
})
