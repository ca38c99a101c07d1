import {
  array, boolean, call, integer, number, object, optional, picklist, pipe, protocol, record, string,
} from '../../runtime/protocol.ts'
import { krpcCall, krpcStream } from '../krpc-protocol.ts'
import { PublicKey } from '../system-config/protocol.ts'

const count = pipe(number(), integer())

export const NodeDaemon = protocol('node-daemon', {
  /** A fresh login token for the calling actor itself, as its link certificate names it. */
  loginToken: call(object({}), object({ jwt: string() }), { concurrent: 16, suite: 'sealed' }),
  /** The ENV of a process of this host that starts again; its supervisor alone may ask. */
  environment: call(object({ name: string() }), record(string(), string()), { concurrent: 16, suite: 'sealed' }),
  /**
   * Of an OOD, to its enrolment alone: the certificate of the zone's enrolment key (`system/enrolment/{ood}`), with the
   * documents of this device and of the zone.
   */
  certifyEnrolment: call(
    object({ key: PublicKey }), object({ certificate: string(), ood: string(), zone: string() }),
    { concurrent: 4, suite: 'sealed' },
  ),
  /** Of an OOD, to its enrolment alone: what the program says that this host asks about joins. */
  joinHook: call(
    object({ question: string() }), object({ allowed: boolean(), said: string() }), { concurrent: 8, suite: 'sealed' },
  ),
  services: call(object({}), array(object({
    name: string(), state: picklist(['starting', 'serving', 'stopped', 'failed']), incarnation: count, reason: string(),
  })), { concurrent: 8 }),
  /**
   * Reads `nodes/{me}/config` and drives services to it; settles when every wanted worker serves, and unless told
   * otherwise when every program serves or has failed.
   */
  converge: call(
    object({ withoutPrograms: optional(boolean()) }),
    object({ revision: count, started: array(string()), stopped: array(string()) }),
  ),
  /**
   * An operator's methods: `ps`, `kill`, `explain`, `migrate`, `migration`, `migration_plan`. By the session of a user
   * whom the policy lets.
   */
  krpc: krpcCall(),
  /** `logs`. */
  krpcStream: krpcStream(),
})
