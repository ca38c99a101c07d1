import type { Clock, Keys, Random } from '../../runtime/platform/ports.ts'
import type { DenialLog } from '../../runtime/trust/denial.ts'
import type { Passwords } from './password.ts'
import type { Sessions } from './sessions.ts'
import type { Tokens } from './tokens.ts'
import type { Zone } from './zone.ts'

/** What every login, refresh and check works with. */
export interface Hub {
  readonly clock: Clock
  readonly random: Random
  readonly keys: Keys
  readonly denials: DenialLog
  readonly zone: Zone
  readonly tokens: Tokens
  readonly sessions: Sessions
  readonly passwords: Passwords
}
