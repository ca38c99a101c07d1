import type { CallSettings } from '../../runtime/protocol.ts'
import type { Announce } from './endings.ts'
import type { Ended } from './session-records.ts'
import type { Config, Zone } from './zone.ts'

/** What system-config offers to verify-hub alone: it returns when every enforcer has acknowledged, or lapsed. */
interface Revoking {
  revoke(args: { readonly sessions: readonly Ended[] }, settings: CallSettings): Promise<unknown>
}

/** By system-config, from which enforcers learn whom to refuse. One without enforcers has nobody to tell. */
export const announcer = (config: Config, zone: Pick<Zone, 'token'>): Announce => async (sessions) => {
  const { revoke } = config as Config & Partial<Revoking>
  if (revoke && sessions.length > 0) await revoke.call(config, { sessions }, { token: zone.token() })
}
