import type { Keys } from '../runtime/platform/ports.ts'
import { trustKeyOf } from '../runtime/trust/keys.ts'
import type { TrustKey } from '../runtime/trust/token.ts'
import type { BootConfig } from './system-config/protocol.ts'
import { issuers, keyReason } from './trust-matrix.ts'

/** The keys that `boot/config` names: root, and verify-hub's, of which there are two during a rotation. */
export const zoneKeys = (keys: Keys, { root, verifyHub }: BootConfig): readonly TrustKey[] => [
  trustKeyOf(keys, root, keyReason.root, issuers.root),
  ...verifyHub.map((jwk) => trustKeyOf(keys, jwk, keyReason.verifyHub, issuers.verifyHub)),
]
