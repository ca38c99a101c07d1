import type { CallContext } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import { object } from '../../runtime/protocol.ts'
import { thumbprint } from '../../runtime/trust/keys.ts'
import { tokenLifetimeSeconds } from '../../runtime/trust/token.ts'
import { method } from '../krpc.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import type { Askers } from './asker.ts'
import type { Hub } from './hub.ts'
import { SWITCH_MS } from './signing-keys.ts'

type Cx = CallContext<{ systemConfig: typeof SystemConfig }>

const KEYS = 'auth://keys/verify-hub'

/**
 * The rotation of verify-hub's key as its owner sees it. The key is made here; only boot/config, which the owner key
 * changes, makes it count: first beside the old one, then alone.
 */
export function keyMethods(hub: Hub, askers: Askers) {
  const namedNow = async ({ systemConfig }: Cx): Promise<readonly string[]> => {
    await hub.zone.refresh(systemConfig)
    return hub.zone.boot.verifyHub.map((jwk) => thumbprint(hub.keys, jwk))
  }
  return {
    /** The same key until boot/config names it alone. */
    prepare_key: method(object({}), async (_, cx: Cx) => {
      await hub.authority.demand(askers.of(cx), 'write', KEYS)
      const named = await namedNow(cx)
      const { kid, publicKey: jwk } = await hub.signing.next()
      return { kid, jwk, state: named.includes(kid) ? 'announced' : 'prepared' }
    }),
    list_keys: method(object({}), async (_, cx: Cx) => {
      await hub.authority.demand(askers.of(cx), 'read', KEYS)
      const named = await namedNow(cx)
      const versions = await hub.signing.versions()
      const sinceMs = await hub.signing.signsSince()
      return {
        keys: versions.map(({ kid, publicKey: jwk, version, createdAt }) => ({
          kid, jwk, version, created_ms: Math.floor(createdAt), named: named.includes(kid),
          signs: hub.signing.current.public.kid === kid,
        })),
        /** Epoch milliseconds since when the newer of two signs. */
        signs_since_ms: sinceMs ?? null,
        /** Epoch seconds at which the last refresh token by the older of two has expired. */
        retire_after: sinceMs === undefined ? null
          : Math.ceil((sinceMs + LAST_SIGNED_MS) / 1000) + tokenLifetimeSeconds.refresh,
      }
    }),
  }
}

/** Another verify-hub of the zone may go on with the older key until it has waited as well. */
const LAST_SIGNED_MS = SWITCH_MS + limits.callMs
