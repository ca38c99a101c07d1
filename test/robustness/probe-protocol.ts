import { array, call, object, protocol, string } from '../../runtime/protocol.ts'

const Attempt = object({ what: string(), target: string() })

/** Tries what it is asked to, with the permissions that its worker has. */
export const Probe = protocol('probe', {
  /** For each, `done` or what it was refused with. */
  attempt: call(array(Attempt), array(string())),
})
