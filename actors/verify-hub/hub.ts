import type { ZonewrightError } from '../../runtime/errors.ts'
import type { Clock, Keys, Random } from '../../runtime/platform/ports.ts'
import type { Store } from '../../runtime/store/store.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { Denial } from '../../runtime/trust/denial.ts'
import type { Authority } from './authority.ts'
import type { Endings } from './endings.ts'
import type { Lockout } from './lockout.ts'
import type { Passwords } from './password.ts'
import type { Risk } from './risk.ts'
import type { Sessions } from './sessions.ts'
import type { SigningKeys } from './signing-keys.ts'
import type { Tokens } from './tokens.ts'
import type { Vault } from '../vault/protocol.ts'
import type { Zone } from './zone.ts'

/** What every login, refresh and check works with. */
export interface Hub {
  /** By its own word: a call that somebody's token is bound to would carry it along, and the vault takes none. */
  readonly vault: Client<typeof Vault>
  readonly clock: Clock
  readonly random: Random
  readonly keys: Keys
  readonly store: Store
  /** Keeps why, and makes the error for the caller. The link was allowed, or there would be no call. */
  deny(denial: Denial): ZonewrightError
  readonly zone: Zone
  readonly signing: SigningKeys
  readonly tokens: Tokens
  readonly sessions: Sessions
  readonly endings: Endings
  readonly passwords: Passwords
  readonly lockout: Lockout
  readonly risk: Risk
  readonly authority: Authority
}
